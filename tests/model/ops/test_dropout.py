"""Dropout with cheap masks."""

from __future__ import annotations

import pytest
import torch

from stage.model.ops.dropout import Dropout


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.1), torch.ones(400, 999)
    y = dropout(x)
    assert float((y == 0).float().mean()) == pytest.approx(26 / 256, abs=0.003)
    assert float(y.mean()) == pytest.approx(1.0, abs=0.003)
    assert torch.equal(dropout.eval()(x), x)
