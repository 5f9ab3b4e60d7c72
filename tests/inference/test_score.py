"""Predictions for a question set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from samples.data_folder import REGION_DIM, TEXT_DIM
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.features.projection import Projection, Projections
from stage.inference.model_folder import FeatureRecipe, TrainedModel
from stage.inference.score import predict_all
from stage.model.config import StageConfig
from stage.model.stage import Stage


def model_with_projections(seed: int, components: int) -> TrainedModel:
    """A model with random weights that reads projected features."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    words, regions = (
        Projection(
            rng.normal(size=dim).astype(np.float32),
            rng.normal(size=(components, dim)).astype(np.float32),
            explained=1.0,
        )
        for dim in (TEXT_DIM, REGION_DIM)
    )
    stage = Stage(StageConfig(text_dim=components, region_dim=components, hidden=8, embedding=8))
    recipe = FeatureRecipe(text="air", regions="air")
    return TrainedModel(stage.eval(), recipe, Projections(words, regions), ("mug",), Limits())


def test_two_models_that_read_one_question_set_in_turn_do_not_mix(
    random_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage.data.loading.MAX_QUESTIONS", 1)  # a batch for every question
    questions = open_questions(random_data, Limits())
    first, second = model_with_projections(1, components=4), model_with_projections(2, components=6)
    apart = [list(predict_all(model, questions)) for model in (first, second)]
    in_turn = zip(predict_all(first, questions), predict_all(second, questions), strict=True)
    assert [list(predictions) for predictions in zip(*in_turn, strict=True)] == apart
    assert questions.projections == Projections()  # predicting left the set as it was
