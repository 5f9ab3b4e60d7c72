"""`stage evaluate`: the scores of a prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="A prediction file (.json or .json.gz).")],
    annotation: Annotated[Path, typer.Argument(help="The questions with the truth, in TVQA+'s layout.")],
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="word2idx: the words that the file numbers; word2idx.json beside it unless given."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write all scores as JSON.")] = None,
) -> None:
    """Score a prediction file: answers, spans and boxes, by question type and by word."""
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
