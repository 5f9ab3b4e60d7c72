"""`stage compare`: the scores of several models, side by side."""

from __future__ import annotations

import sys
from math import isnan
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stage.commands import Overwrite
from stage.terminal import PlainConsole, echo


def compare(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data folder with features.")],
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Model folders, or names of packaged models.")
    ],
    out: Annotated[
        Path | None, typer.Option("--json", help="Also write all scores to this file, as JSON.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score several models on the same questions.

    Also prints the recall of the detector's regions, an upper limit of the
    grounding scores.
    """
    from stage.commands.progress import progress_bar
    from stage.data.layouts import check_places, open_questions
    from stage.inference.model_folder import load_model
    from stage.inference.score import evaluate_model
    from stage.io import check_output, write_json
    from stage.metrics import proposal_recall
    from stage.metrics.scores import COMPARISON_FILE
    from stage.wording import counted

    if out:
        check_output(out, COMPARISON_FILE, overwrite=overwrite)
    check_places([data])
    opened = {}
    for spec in models:
        model = load_model(spec)
        for note in model.notes:
            echo(f"{spec}: {note}", file=sys.stderr)
        questions = open_questions(data, model.limits)
        model.check_features(questions.source.attributes, questions.name)
        opened[spec] = model, questions
    # Each model reads the questions within its own limits.
    for note in dict.fromkeys(note for _, questions in opened.values() for note in questions.notes):
        echo(f"{data}: {note}", file=sys.stderr)
    scores_of = {}
    for spec, (model, questions) in opened.items():
        with progress_bar(f"Scoring {spec}") as progress:
            scores_of[spec] = evaluate_model(model, questions, progress=progress)
    if out:  # before anything is shown, which may fail
        write_json(out, {spec: scores.to_json() for spec, scores in scores_of.items()})
    first = next(iter(opened.values()))[
        1
    ]  # limits decide what a model reads of a question, not which there are
    count, clips = counted(len(first), "question"), counted(len(first.clips), "clip")
    table = Table(title=f"{count} about {clips} of {data}, in %")
    for column in ("model", "QA Acc.", "Temp. mIoU", "ASA", "Grd. mAP"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for spec, scores in scores_of.items():
        shares = (scores.qa_accuracy, scores.temporal_miou, scores.answer_span_accuracy, scores.grounding_map)
        table.add_row(spec, *("-" if share is None else f"{100 * share:.2f}" for share in shares))
    PlainConsole().print(table)
    recall = proposal_recall(first.questions, first.regions_of)
    of_boxes = "recall of annotated boxes by the 20 best regions of a frame (IoU 0.5)"
    echo(f"{of_boxes}: {'- (no frame with regions has boxes)' if isnan(recall) else f'{recall:.4f}'}")
