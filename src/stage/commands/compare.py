"""`stage compare`: several models on one set of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


def compare(
    data: Annotated[Path, typer.Argument(help="A data folder with features.")],
    models: Annotated[list[str], typer.Argument(help="Model folders or names of packaged models.")],
    out: Annotated[Path | None, typer.Option("--json", help="Write all scores as JSON.")] = None,
) -> None:
    """Print a table of the scores of models on a data folder, and how many true boxes the proposals hold."""
    from stage.data.layouts import open_questions
    from stage.inference.model_folder import load_model
    from stage.inference.score import evaluate_model
    from stage.io import write_json
    from stage.metrics import proposal_recall

    asked = {}
    for spec in models:
        trained = load_model(spec)
        questions = open_questions(data, trained.limits)
        trained.check_features(questions.source.attributes, questions.name)
        asked[spec] = trained, questions
    scores = {spec: evaluate_model(trained, questions) for spec, (trained, questions) in asked.items()}
    table = Table(title=f"{len(questions)} questions on {len(questions.clips)} clips of {data}")
    for column in ("model", "QA Acc.", "Temp. mIoU", "ASA", "Grd. mAP"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for spec, found in scores.items():
        shares = (found.qa_accuracy, found.temporal_miou, found.answer_span_accuracy, found.grounding_map)
        table.add_row(spec, *("-" if share is None else f"{100 * share:.2f}" for share in shares))
    Console().print(table)
    recall = proposal_recall(questions.questions, questions.regions_of)
    print(f"recall of true boxes by the 20 best regions of a frame (IoU 0.5): {recall:.4f}")
    if out:
        write_json(out, {spec: found.to_json() for spec, found in scores.items()})
