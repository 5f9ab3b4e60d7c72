"""`stage compare`: the scores of several models, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stage.commands import Overwrite


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
    from stage.data.layouts import open_questions
    from stage.inference.model_folder import load_model
    from stage.inference.score import evaluate_model
    from stage.io import check_output, write_json
    from stage.metrics import proposal_recall
    from stage.metrics.scores import COMPARISON_FILE
    from stage.wording import counted

    if out:
        check_output(out, COMPARISON_FILE, overwrite=overwrite)
    opened = {}
    for spec in models:
        model = load_model(spec)
        questions = open_questions(data, model.limits)
        model.check_features(questions.source.attributes, questions.name)
        opened[spec] = model, questions
    scores_of = {spec: evaluate_model(model, questions) for spec, (model, questions) in opened.items()}
    count, clips = counted(len(questions), "question"), counted(len(questions.clips), "clip")
    table = Table(title=f"{count} about {clips} of {data}, in %")
    for column in ("model", "QA Acc.", "Temp. mIoU", "ASA", "Grd. mAP"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for spec, scores in scores_of.items():
        shares = (scores.qa_accuracy, scores.temporal_miou, scores.answer_span_accuracy, scores.grounding_map)
        table.add_row(spec, *("-" if share is None else f"{100 * share:.2f}" for share in shares))
    Console().print(table)
    recall = proposal_recall(questions.questions, questions.regions_of)
    print(f"recall of annotated boxes by the 20 best regions of a frame (IoU 0.5): {recall:.4f}")
    if out:
        write_json(out, {spec: scores.to_json() for spec, scores in scores_of.items()})
