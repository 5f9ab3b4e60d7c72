"""Predictions for a whole question set, and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import chain, islice

import torch

from stage.annotation.predictions import PredictionTable, join_tables, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary, normalise_word
from stage.data.loading import inference_loader
from stage.data.question_set import QuestionSet
from stage.inference.answerer import DataSetAnswers
from stage.inference.model_folder import TrainedModel
from stage.inference.predict import make_predictions
from stage.metrics import Scores, evaluate
from stage.model.config import SystemConfig
from stage.model.execution.onnx import ExportedStage
from stage.runtime.hardware import best_device, bfloat16_is_fast
from stage.types import Prediction, Progress, Question

TABULATED_AT_ONCE = 500
"""Predictions; as columns their boxes take a fraction of the memory."""


def evaluate_model(
    model: TrainedModel,
    questions: QuestionSet,
    device: str | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score a model on all questions of a set. device: "cpu" or "cuda"; by default a GPU if there is one."""
    vocabulary = build_vocabulary(questions.questions)
    tables: list[PredictionTable] = []
    done = 0
    for predictions in _predict_batches(model, questions, for_scores=True, device=device):
        tables.append(tabulate_predictions(predictions, vocabulary))
        done += len(predictions)
        if progress:
            progress(done, len(questions), "questions")
    table = join_tables(tables)
    return scores_of(table, questions.questions, model.model.config)


def scores_of_answers(answers: DataSetAnswers, predictions: Iterable[Prediction]) -> Scores:
    """Score an answerer's predictions for a data set; without scores of spans if it does not localise.

    predictions: those of `answers.predict`, which may be counted on their way.
    """
    vocabulary = build_vocabulary(answers.questions)
    pieces = iter(predictions)
    tables = []
    while piece := list(islice(pieces, TABULATED_AT_ONCE)):
        tables.append(tabulate_predictions(piece, vocabulary))
    scores = evaluate(join_tables(tables or [tabulate_predictions([], vocabulary)]), answers.questions)
    return scores if answers.localises else scores.without_spans()


def scores_of(table: PredictionTable, questions: Sequence[Question], config: SystemConfig) -> Scores:
    """Score the predictions of a system; without scores of spans if it does not localise."""
    scores = evaluate(table, questions)
    return scores if config.localises else scores.without_spans()


def predict_all(
    model: TrainedModel, questions: QuestionSet, *, for_scores: bool = False, fast: bool = False
) -> Iterator[Prediction]:
    """Predictions for all questions of a set, clip by clip.

    for_scores: with the boxes alone that are scored. fast: in bfloat16 if the device is fast in it.
    """
    return chain.from_iterable(_predict_batches(model, questions, for_scores=for_scores, fast=fast))


def _predict_batches(
    model: TrainedModel,
    questions: QuestionSet,
    *,
    for_scores: bool,
    fast: bool = False,
    device: str | None = None,
) -> Iterator[list[Prediction]]:
    concepts = set(map(normalise_word, model.concepts))
    system = model.model
    if isinstance(system, ExportedStage):  # its graphs run on the CPU only
        device = "cpu"
    elif (device := device or best_device()) != "cpu":
        system = deepcopy(system).to(device)
    in_bfloat16 = fast and bfloat16_is_fast(device)
    for batch, examples in inference_loader(questions.with_projections(model.projections)):
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=in_bfloat16):
            batch_prediction = system.answer(batch.to(device))
        yield make_predictions(batch_prediction, examples, concepts, for_scores=for_scores)
