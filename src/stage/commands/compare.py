"""`stage compare`: the scores of several answerers, side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from stage.commands import NEGATIVE, Overwrite
from stage.commands.asking.options import Detector, ImageText
from stage.terminal import PlainConsole, echo

if TYPE_CHECKING:
    from stage.inference.answerer import DataSetAnswers
    from stage.metrics.scores import Scores
    from stage.types import Question


def compare(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="A data folder, with features if a trained model answers."),
    ],
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Who answers: packaged models, model folders, and all else that "
            "`stage predict --model` takes.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--json", help="Also write all scores to this file, as JSON.")
    ] = None,
    overwrite: Overwrite = False,
    detector: Detector = None,
    image_text: ImageText = None,
) -> None:
    """Score several answerers on the same questions.

    If the data have features, also prints the recall of their regions, an upper
    limit of the grounding scores.
    """
    from stage.commands.progress import counting, progress_bar
    from stage.data.layouts import check_places
    from stage.errors import InputError
    from stage.inference.answerer import Answerer
    from stage.inference.names import is_trained
    from stage.inference.score import scores_of_answers
    from stage.io import check_output, write_json
    from stage.metrics.scores import COMPARISON_FILE

    if out:
        check_output(out, COMPARISON_FILE, overwrite=overwrite)
    if any(map(is_trained, models)):  # others need no features, and say what they miss
        check_places([data])
    opened = {
        spec: Answerer.from_pretrained(spec, detector=detector, image_text=image_text).answers(
            data, for_scores=True
        )
        for spec in models
    }
    for note in _notes(opened):
        echo(note, file=sys.stderr)
    scores_of, failures = {}, {}
    for spec, answers in opened.items():
        try:
            with progress_bar(f"Scoring {spec}") as progress:
                predictions = counting(answers.predict(), len(answers.questions), "questions", progress)
                scores_of[spec] = scores_of_answers(answers, predictions)
        except InputError as error:  # a server that went down costs no other answerer its scores
            failures[spec] = error
    if failures and not scores_of:
        raise next(iter(failures.values()))
    if out:  # before anything is shown, which may fail
        write_json(out, {spec: scores.to_json() for spec, scores in scores_of.items()})
    questions = next(iter(opened.values())).questions
    PlainConsole().print(_table(data, questions, scores_of))
    _print_recall(data, questions)
    for spec, reason in failures.items():
        echo(f"stage: {spec}: not scored: {' '.join(str(reason).split())}", file=sys.stderr)
    if failures:
        raise typer.Exit(NEGATIVE)


def _notes(opened: Mapping[str, DataSetAnswers]) -> Iterable[str]:
    """Those about the data once, and those about an answerer with its name."""
    notes = (
        note if note.startswith(f"{answers.name}: ") else f"{spec}: {note}"
        for spec, answers in opened.items()
        for note in answers.notes
    )
    return dict.fromkeys(notes)


def _table(data: Path, questions: Sequence[Question], scores_of: Mapping[str, Scores]) -> Table:
    from stage.wording import counted

    count, clips = counted(len(questions), "question"), counted(len({q.clip for q in questions}), "clip")
    table = Table(title=f"{count} about {clips} of {data}, in %")
    for column in ("model", "QA Acc.", "Temp. mIoU", "ASA", "Grd. mAP"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for spec, scores in scores_of.items():
        shares = (scores.qa_accuracy, scores.temporal_miou, scores.answer_span_accuracy, scores.grounding_map)
        table.add_row(spec, *("-" if share is None else f"{100 * share:.2f}" for share in shares))
    return table


def _print_recall(data: Path, questions: Sequence[Question]) -> None:
    """Print the recall of the regions in the data's features, if they have any."""
    from stage.data.examples import Limits
    from stage.data.layouts import open_questions
    from stage.errors import InputError
    from stage.metrics import proposal_recall

    try:
        regions_of = open_questions(data, Limits()).regions_of
    except InputError:
        return
    recall = proposal_recall(questions, regions_of)
    of_boxes = "recall of annotated boxes by the 20 best regions of a frame (IoU 0.5)"
    echo(f"{of_boxes}: {'- (no frame with regions has boxes)' if isnan(recall) else f'{recall:.4f}'}")
