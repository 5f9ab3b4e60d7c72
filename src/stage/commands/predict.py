"""`stage predict`: write a prediction file for a set of questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.commands import Overwrite
from stage.commands.asking.options import Detector, ImageText, Model
from stage.terminal import echo


def predict(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="A data folder, with features if a trained model answers."),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The prediction file to write (.json or .json.gz).")
    ],
    model: Model = "sitcom",
    detector: Detector = None,
    image_text: ImageText = None,
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
    scores it. Answerers that take long keep every prediction in OUT.unfinished
    until all are there: the same command resumes.
    """
    from stage.annotation.predictions import PREDICTION_FILE, write_predictions
    from stage.annotation.vocabulary import VOCABULARY_FILE, extend_vocabulary, read_vocabulary
    from stage.commands.progress import counting, progress_bar
    from stage.data.layouts import check_places
    from stage.errors import InputError
    from stage.inference.answerer import Answerer, Setup
    from stage.inference.journal import Journal
    from stage.inference.names import is_trained
    from stage.inference.resumed import resumed_predictions, work_of_data
    from stage.io import check_inputs, check_output
    from stage.wording import counted

    check_output(out, PREDICTION_FILE, [vocabulary or out.parent / VOCABULARY_FILE], overwrite)
    if is_trained(model):  # others need no features, and say what they miss
        check_places([data])
    if vocabulary:
        check_inputs([vocabulary])
    answerer = Answerer.from_pretrained(model, detector=detector, image_text=image_text)
    answers = answerer.answers(data, fast=fast)
    for note in answers.notes:
        echo(note, file=sys.stderr)
    if vocabulary is None:
        words = extend_vocabulary(out.parent / VOCABULARY_FILE, answers.questions)
    else:
        words = read_vocabulary(vocabulary)
    if fast and is_trained(model):
        _compile_operations()
    journal = None
    if answers.predict_rest:
        journal = Journal(out, work_of_data(answerer, Setup(detector, image_text), answers.questions))
    if journal and journal.found:
        echo(f"{journal.path}: {counted(len(journal.found), 'prediction')} from there", file=sys.stderr)
    try:
        with progress_bar(f"Predicting {answers.name}") as progress:
            predictions = counting(
                resumed_predictions(answers, journal), len(answers.questions), "questions", progress
            )
            write_predictions(out, predictions, words)
    except InputError as error:
        if journal is None or not journal.is_there:
            raise
        raise InputError(
            f"{error}; what was predicted is in {journal.path}: the same command resumes"
        ) from None
    finally:
        if journal:
            journal.close()
    if journal:
        journal.remove()
    for note in answers.notes_of_questions():
        echo(note, file=sys.stderr)
    echo(f"{out}: {counted(len(answers.questions), 'prediction')}")


def _compile_operations() -> None:
    from stage.model.ops.compiled import compile_or_warn
    from stage.runtime.hardware import best_device

    if best_device() == "cpu":
        compile_or_warn()
