"""The weight of the alignment loss over training."""

from __future__ import annotations

import pytest

from samples.baselines import make_batch, make_model
from stage.model.baselines.multi_task import MultiTask
from stage.model.build import training_losses
from stage.model.losses import LossWeights


def test_the_alignment_loss_fades() -> None:
    model, batch = make_model("multi_task").train(), make_batch()
    assert isinstance(model, MultiTask)

    def alignment() -> float:
        losses, _ = training_losses(model, [batch], LossWeights(span=0.0))
        return (losses.total - losses.answer).item()

    first = alignment()
    assert first > 0
    assert alignment() == pytest.approx(first, rel=1e-3)  # dropout is 0: only steps count
    model.after_step(model.config.alignment_questions // 2)
    assert alignment() == pytest.approx(first / 2, rel=1e-3)
    model.after_step(model.config.alignment_questions)
    assert alignment() == 0
