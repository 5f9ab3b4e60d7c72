"""`stage predict`: a model's answers to a set of questions, as a submission file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def predict(
    data: Annotated[Path, typer.Argument(help="A data folder with features.")],
    out: Annotated[Path, typer.Argument(help="The prediction file to write (.json or .json.gz).")],
    model: Annotated[
        str, typer.Option(help="A model folder, exported or not, or a packaged model's name.")
    ] = "sitcom",
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="word2idx of the data set; without it the one beside OUT, with the words that it lacks."
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Compute in bfloat16 where there is hardware for it, on a CPU in compiled loops: for thousands of "
            "questions, a few of which may be answered otherwise than in float32.",
        ),
    ] = False,
) -> None:
    """Predict answers, spans and boxes in the layout that the leaderboard and `stage evaluate` read."""
    from stage.annotation.predictions import write_predictions
    from stage.annotation.vocabulary import BESIDE, extend_vocabulary, read_vocabulary
    from stage.data.layouts import open_questions
    from stage.inference.model_folder import load_model
    from stage.inference.score import predict_all
    from stage.io import check_writable
    from stage.model.ops.compiled import compile_or_warn
    from stage.runtime.hardware import best_device

    trained = load_model(model)
    questions = open_questions(data, trained.limits)
    trained.check_features(questions.source.attributes, questions.name)
    for note in questions.notes:
        print(f"{questions.name}: {note}", file=sys.stderr)
    check_writable(out)
    if vocabulary is None:
        words = extend_vocabulary(out.parent / BESIDE, questions.questions)
    else:
        words = read_vocabulary(vocabulary)
    if fast and best_device() == "cpu":
        compile_or_warn()
    write_predictions(out, predict_all(trained, questions, fast=fast), words)
    print(f"{len(questions)} predictions in {out}")
