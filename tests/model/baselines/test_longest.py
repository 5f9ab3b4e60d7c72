"""The longest answer, which needs no training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from samples.baselines import make_batch
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.inference.model_folder import load_model
from stage.inference.score import evaluate_model
from stage.model.baselines.longest import Longest


def test_the_longest_answer_is_the_one_with_most_words() -> None:
    batch = make_batch()
    assert torch.equal(Longest().answer(batch).logits.argmax(-1), batch.word_mask.sum(-1).argmax(-1))


def test_the_longest_answer_needs_no_training(random_data: Path) -> None:
    model = load_model("longest")
    questions = open_questions(random_data, Limits())
    model.check_features(questions.source.attributes, questions.name)
    scores = evaluate_model(model, questions)
    assert scores.qa_accuracy == pytest.approx(2 / 6)  # the first candidate is the longest
    assert scores.temporal_miou is None
