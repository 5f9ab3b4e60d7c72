"""Compiled loops compute what plain operations compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from samples.batches import make_batch, make_model
from stage.model.ops import compiled as compiled_ops


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_ops, "_compile", None)  # set back afterwards
    if reason := compiled_ops.compile_ops():
        pytest.skip(f"nothing to compile with: {reason}")


def loss_and_gradients() -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(0)
    model, batch = make_model(), make_batch()
    logits = model.answer(batch).logits
    logits.square().sum().backward()
    return logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.slow
def test_compiled_loops_give_the_same_answers_and_gradients(request: pytest.FixtureRequest) -> None:
    logits, gradients = loss_and_gradients()
    request.getfixturevalue("compiled")
    again, compiled_gradients = loss_and_gradients()
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)
    assert compiled_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(
            compiled_gradients[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-7, msg=name
        )
