"""`stage evaluate`: score a prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stage.commands import Overwrite


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
    all_questions: Annotated[
        bool, typer.Option("--all", help="Count questions without a prediction as wrong.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Score the answers, spans and boxes of a prediction file.

    Prints the paper's metrics, overall and by question type, and the words that
    are grounded worst. Questions without a prediction aren't scored unless
    --all is given.
    """
    from dataclasses import replace

    from stage.annotation.predictions import read_predictions
    from stage.annotation.questions import read_questions
    from stage.annotation.vocabulary import VOCABULARY_FILE, vocabulary_of
    from stage.data.layouts.folder import times_of
    from stage.io import check_inputs, check_output, write_json
    from stage.metrics import evaluate as score
    from stage.metrics import print_scores
    from stage.metrics.scores import SCORES_FILE

    if out:
        inputs = [predictions, annotation, vocabulary or predictions.parent / VOCABULARY_FILE]
        check_output(out, SCORES_FILE, inputs, overwrite)
    check_inputs([predictions, annotation, *([vocabulary] if vocabulary else [])])
    table, questions = read_predictions(predictions), read_questions(annotation)
    words = vocabulary_of(predictions, vocabulary)
    scores = score(table, questions, words, missing_is_wrong=all_questions)
    scores = replace(scores, notes=(*scores.notes, *times_of(annotation, questions)))
    if out:  # before anything is shown, which may fail
        write_json(out, scores.to_json())
    print_scores(scores)
