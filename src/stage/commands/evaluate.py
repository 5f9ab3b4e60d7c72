"""`stage evaluate`: score a prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="A prediction file (.json or .json.gz).")
    ],
    annotation: Annotated[
        Path, typer.Argument(metavar="ANNOTATION", help="The questions with ground truth, in TVQA+'s format.")
    ],
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Vocabulary (word2idx) of the prediction file; by default word2idx.json next to it."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--json", help="Also write all scores to this file, as JSON.")
    ] = None,
) -> None:
    """Score the answers, spans and boxes of a prediction file.

    Prints the paper's metrics, overall and by question type, and the words that
    are grounded worst.
    """
    from stage.annotation.predictions import read_predictions
    from stage.annotation.questions import read_questions
    from stage.annotation.vocabulary import vocabulary_of
    from stage.io import write_json
    from stage.metrics import evaluate as score
    from stage.metrics import print_scores

    scores = score(
        read_predictions(predictions), read_questions(annotation), vocabulary_of(predictions, vocabulary)
    )
    print_scores(scores)
    if out:
        write_json(out, scores.to_json())
