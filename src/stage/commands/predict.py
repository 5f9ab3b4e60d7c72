"""`stage predict`: write a prediction file for a set of questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.commands import Overwrite
from stage.terminal import echo


def predict(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data folder with features.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The prediction file to write (.json or .json.gz).")
    ],
    model: Annotated[
        str, typer.Option(help="A model folder, exported or not, or the name of a packaged model.")
    ] = "sitcom",
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Vocabulary (word2idx) of the data set; by default word2idx.json next to OUT, extended as needed."
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Compute in bfloat16 if the hardware supports it, on a CPU also with compiled operations. Pays off "
            "for thousands of questions; a few answers may differ from those in float32.",
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Predict answers, spans and boxes for a set of questions.

    The file has the format of the leaderboard's submissions; `stage evaluate`
    scores it.
    """
    from stage.annotation.predictions import PREDICTION_FILE, write_predictions
    from stage.annotation.vocabulary import VOCABULARY_FILE, extend_vocabulary, read_vocabulary
    from stage.commands.progress import counting, progress_bar
    from stage.data.layouts import check_places, open_questions
    from stage.inference.model_folder import load_model
    from stage.inference.score import predict_all
    from stage.io import check_inputs, check_output
    from stage.model.ops.compiled import compile_or_warn
    from stage.runtime.hardware import best_device
    from stage.wording import counted

    check_output(out, PREDICTION_FILE, [vocabulary or out.parent / VOCABULARY_FILE], overwrite)
    check_places([data])
    if vocabulary:
        check_inputs([vocabulary])
    loaded = load_model(model)
    questions = open_questions(data, loaded.limits)
    loaded.check_features(questions.source.attributes, questions.name)
    for note in (*loaded.notes, *(f"{questions.name}: {note}" for note in questions.notes)):
        echo(note, file=sys.stderr)
    if vocabulary is None:
        words = extend_vocabulary(out.parent / VOCABULARY_FILE, questions.questions)
    else:
        words = read_vocabulary(vocabulary)
    if fast and best_device() == "cpu":
        compile_or_warn()
    with progress_bar(f"Predicting {questions.name}") as progress:
        predictions = counting(
            predict_all(loaded, questions, fast=fast), len(questions), "questions", progress
        )
        write_predictions(out, predictions, words)
    echo(f"{out}: {counted(len(questions), 'prediction')}")
