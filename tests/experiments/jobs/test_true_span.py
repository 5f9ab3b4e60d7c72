"""Scores of a trained model that is given the true span."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from samples.data_folder import REGION_DIM, TEXT_DIM
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.experiments.jobs.true_span import StageGivenSpans, scores_given_true_spans
from stage.features.projection import Projections
from stage.inference.model_folder import FeatureRecipe, TrainedModel
from stage.model.build import build_model
from stage.model.config import StageConfig
from stage.model.stage import Stage


def test_given_the_true_span_the_answer_is_that_of_the_true_span(random_data: Path) -> None:
    torch.manual_seed(1)
    config = StageConfig(hidden=8, text_dim=TEXT_DIM, region_dim=REGION_DIM, span_margin=0)
    stage, questions = build_model(config).eval(), open_questions(random_data, Limits())
    assert isinstance(stage, Stage)
    given = StageGivenSpans(config).eval()
    given.load_state_dict(stage.state_dict())
    batch = collate([questions.example(i) for i in range(6)])
    assert batch.targets is not None
    with torch.no_grad():
        start, end = (t[:, None].expand(-1, 3) for t in (batch.targets.start, batch.targets.end))
        torch.testing.assert_close(given.answer(batch).logits, stage.score(stage(batch), start, end))
        assert not torch.allclose(given.answer(batch).logits, stage.answer(batch).logits)
    trained = TrainedModel(stage, FeatureRecipe(text="air", regions="air"), Projections(), ("mug",), Limits())
    assert scores_given_true_spans(trained, questions) is not None
    plain = build_model(config.model_copy(update={"local_features": False}))
    assert scores_given_true_spans(replace(trained, model=plain), questions) is None
