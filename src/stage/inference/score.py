"""Trained models asked all questions of a set: their predictions, and the scores of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import chain

import torch

from stage.annotation.predictions import PredictionTable, join_tables, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.data.loading import answering_loader
from stage.data.question_set import QuestionSet
from stage.inference.model_folder import TrainedModel
from stage.inference.predict import make_predictions
from stage.metrics import Scores, evaluate
from stage.model.config import SystemConfig
from stage.model.execution.onnx import ExportedStage
from stage.runtime.hardware import best_device, bfloat16_is_fast
from stage.types import Prediction, Question


def evaluate_model(trained: TrainedModel, questions: QuestionSet, device: str | None = None) -> Scores:
    """The scores of a model on all questions of a set. device: "cpu", "cuda" or by default the fastest there is."""
    vocabulary = build_vocabulary(questions.questions)
    batches = _predict_batches(trained, questions, for_scores=True, device=device)
    table = join_tables([tabulate_predictions(predictions, vocabulary) for predictions in batches])
    return scores_of(table, questions.questions, trained.stage.config)


def scores_of(table: PredictionTable, questions: Sequence[Question], system: SystemConfig) -> Scores:
    """Scores of the predictions of a system; of the answers alone if it does not localise."""
    scores = evaluate(table, questions)
    return scores if system.localises else scores.without_spans()


def predict_all(trained: TrainedModel, questions: QuestionSet, *, fast: bool = False) -> Iterator[Prediction]:
    """Predictions for all questions of a set, clip by clip; fast: in bfloat16 where that pays, not in float32."""
    return chain.from_iterable(_predict_batches(trained, questions, for_scores=False, fast=fast))


def _predict_batches(
    trained: TrainedModel,
    questions: QuestionSet,
    *,
    for_scores: bool,
    fast: bool = False,
    device: str | None = None,
) -> Iterator[list[Prediction]]:
    questions.projections = trained.projections
    concepts = set(trained.concepts)
    model = trained.stage
    if isinstance(model, ExportedStage):  # its graphs are of the CPU
        device = "cpu"
    elif (device := device or best_device()) != "cpu":
        model = deepcopy(model).to(device)
    short = fast and bfloat16_is_fast(device)
    for batch, examples in answering_loader(questions):
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=short):
            answered = model.answer(batch.to(device))
        yield make_predictions(answered, examples, concepts, for_scores=for_scores)
