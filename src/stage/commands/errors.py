"""`stage errors`: error analysis of a prediction file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from stage.commands import Overwrite
from stage.commands.asking.options import Detector, ImageText
from stage.terminal import PlainConsole, echo

if TYPE_CHECKING:
    from stage.annotation.predictions import PredictionTable
    from stage.experiments.error_analysis import AnalysedAnswer, Outcome
    from stage.inference.answerer import Answerer
    from stage.types import Question


def errors(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="A prediction file (.json or .json.gz).")
    ],
    annotation: Annotated[
        Path, typer.Argument(metavar="ANNOTATION", help="The questions with ground truth, in TVQA+'s format.")
    ],
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Vocabulary (word2idx) of the prediction file; by default word2idx.json next to it. Without one, "
            "boxes are left out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for errors.json, which lists every question, and for pages.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Examples to show of each outcome.")] = 3,
    data: Annotated[
        Path | None, typer.Option(help="A data folder with films: also write evidence pages of the examples.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="Who made the predictions, for the evidence pages, as for `stage predict --model`."
        ),
    ] = "sitcom",
    detector: Detector = None,
    image_text: ImageText = None,
    all_questions: Annotated[
        bool, typer.Option("--all", help="Count questions without a prediction as wrong.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Group answers by whether answer and moment are right.

    Prints the four outcomes by question type and by link word, with examples.
    """
    from stage.annotation.box_units import doubts
    from stage.annotation.predictions import empty_span_notes, read_predictions
    from stage.annotation.questions import read_questions
    from stage.annotation.vocabulary import VOCABULARY_FILE, vocabulary_of
    from stage.data.layouts.folder import times_of
    from stage.errors import InputError
    from stage.experiments.error_analysis import ERRORS_FILE, Outcome, analyse_answers, to_json
    from stage.experiments.error_analysis import examples as examples_of
    from stage.experiments.error_pages import page_of
    from stage.io import check_inputs, check_output, write_json
    from stage.page.render import EVIDENCE_PAGE

    if data and not out:
        raise InputError("--data: evidence pages need a folder; give one with --out")
    if out:
        inputs = [predictions, annotation, vocabulary or predictions.parent / VOCABULARY_FILE]
        check_output(out / "errors.json", ERRORS_FILE, inputs, overwrite)
        for outcome in Outcome if data else ():
            check_output(page_of(outcome, out), EVIDENCE_PAGE, inputs, overwrite)
    check_inputs([predictions, annotation, *([vocabulary] if vocabulary else [])])
    has_vocabulary = vocabulary or (predictions.parent / VOCABULARY_FILE).exists()
    words = vocabulary_of(predictions, vocabulary) if has_vocabulary else None
    table, questions = read_predictions(predictions), read_questions(annotation)
    answers = analyse_answers(table, questions, words, missing_is_wrong=all_questions)
    if not answers:
        raise InputError(f"{annotation}: no predicted question has a right answer and a span to compare with")
    if out:  # before anything is shown, which may fail
        write_json(out / "errors.json", to_json(answers, len(questions)))
    selected = {outcome: examples_of(answers, outcome, examples) for outcome in Outcome}
    console = PlainConsole()
    console.print(_counts(answers, len(questions)))
    of_spans = (*empty_span_notes(table), *doubts(questions), *times_of(annotation, questions))
    for note in (*_notes(table, questions, all_questions), *of_spans):
        console.print(f"note: {note}", style="yellow")
    for outcome, shown in selected.items():
        _print_examples(outcome, shown, console)
    if out:
        echo(f"{out / 'errors.json'}: every question with its outcome")
    if out and data:
        from stage.inference.answerer import Answerer

        answerer = Answerer.from_pretrained(model, detector=detector, image_text=image_text)
        _write_pages(selected, data, answerer, out)


def _notes(table: PredictionTable, questions: Sequence[Question], all_questions: bool) -> Iterator[str]:
    """Why questions of the annotation aren't among the outcomes."""
    from stage.wording import counted

    total, predicted = len(questions), set(table.qid.tolist())
    if (missing := total - len(predicted)) and not all_questions:
        verbs = "has no prediction and isn't" if missing == 1 else "have no prediction and aren't"
        yield f"{missing:,} of {counted(total, 'question')} {verbs} counted (with --all, as wrong)"
    if unknown := sum(q.answer_index is None or q.span is None for q in questions):
        verb = "has" if unknown == 1 else "have"
        yield f"{unknown:,} of {counted(total, 'question')} {verb} no right answer or no span in the annotation"


def _counts(answers: Sequence[AnalysedAnswer], total: int) -> Table:
    from stage.experiments.error_analysis import Outcome, count_missing, counts_by_link, counts_by_type
    from stage.metrics.printing import questions_scored

    scored = questions_scored(len(answers), total, count_missing(answers))
    table = Table(title=f"{scored}, in % of each row", title_justify="left")
    table.add_column("type, link")
    for outcome in Outcome:
        table.add_column(outcome.value, justify="right")
    for rows in (counts_by_type(answers), counts_by_link(answers)):
        for name, counts in rows.items():
            total = sum(counts.values())
            table.add_row(name, *(f"{n:,} ({100 * n / total:.1f} %)" for n in counts.values()))
        table.add_section()
    recalls = [[a.box_recall for a in answers if a.outcome is outcome] for outcome in Outcome]
    known = [[recall for recall in of_outcome if recall is not None] for of_outcome in recalls]
    if any(known):
        table.add_row("box recall", *(f"{100 * fmean(k):.1f} %" if k else "-" for k in known))
    return table


def _print_examples(outcome: Outcome, answers: Sequence[AnalysedAnswer], console: PlainConsole) -> None:
    if answers:
        console.print(f"\n{outcome.value}, examples:", style="bold")
    for answer in answers:
        content = answer.to_json()
        true = content["true_span"]
        console.print(f"  {content['qid']} ({content['clip']}): {content['question']}", soft_wrap=True)
        assert answer.span is not None  # an example has a prediction
        console.print(
            f"    predicted: {content['chosen']} ({answer.span[0]:.1f} to {answer.span[1]:.1f} s)   "
            f"right: {content['right']} ({true[0]:.1f} to {true[1]:.1f} s)",
            soft_wrap=True,
        )


def _write_pages(
    selected: Mapping[Outcome, Sequence[AnalysedAnswer]], data: Path, answerer: Answerer, out: Path
) -> None:
    from stage.commands.progress import progress_bar
    from stage.experiments.error_pages import write_pages

    with progress_bar("Processing films") as progress:
        paths, notes = write_pages(selected, data, answerer, out, progress)
    for line in [*notes, *(f"evidence page: {path}" for path in paths)]:
        echo(line)
