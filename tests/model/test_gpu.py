"""What a GPU computes is what a CPU computes. Skipped where PyTorch sees no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from samples import baselines, batches
from samples.data_folder import random_run
from stage.data.batch import Batch
from stage.data.layouts import open_questions
from stage.inference.score import evaluate_model
from stage.model.build import VideoQASystem, training_losses
from stage.model.losses import LossWeights
from stage.training.config import RunConfig
from stage.training.loop import train

SYSTEMS = ["stage", *sorted(baselines.SYSTEMS)]
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def make(name: str) -> tuple[VideoQASystem, Batch]:
    torch.manual_seed(0)
    if name == "stage":
        return batches.make_model(dropout=0.0), batches.make_batch()
    return baselines.make_model(name), baselines.make_batch()


def learnt(name: str, device: str, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    """The answer's logits and the gradients of all losses but that of regions, for which negatives are drawn."""
    model, batch = make(name)
    model, batch = model.to(device).train(), batch.to(device)
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        losses, logits = training_losses(model, [batch], LossWeights(attention=0))
    losses.total.backward()
    gradients = {n: p.grad.cpu() for n, p in model.named_parameters() if p.grad is not None}
    return logits.detach().float().cpu(), gradients


def distance(gradients: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """How far gradients are from the exact ones, as a share of these."""
    assert gradients.keys() == exact.keys()
    whole, others = (torch.cat([g[key].flatten() for key in sorted(exact)]) for g in (exact, gradients))
    return float((others - whole).norm() / whole.norm())


@pytest.mark.parametrize("name", SYSTEMS)
def test_answers_and_gradients_are_those_of_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    logits, gradients = learnt(name, "cpu", torch.float32)
    found, found_gradients = learnt(name, "cuda", torch.float32)
    torch.testing.assert_close(found, logits, rtol=1e-3, atol=1e-3)
    assert distance(found_gradients, gradients) < 1e-3


@pytest.mark.parametrize("name", SYSTEMS)
def test_bfloat16_rounds_no_more_than_on_the_cpu(name: str) -> None:
    logits, gradients = learnt(name, "cpu", torch.float32)
    found, found_gradients = learnt(name, "cuda", torch.bfloat16)
    torch.testing.assert_close(found, logits, rtol=0.1, atol=0.1)
    rounded = distance(learnt(name, "cpu", torch.bfloat16)[1], gradients)
    assert distance(found_gradients, gradients) < 1.5 * rounded + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["stage", "multi_task"])
def test_a_model_is_trained_and_scored_on_a_gpu(
    random_data: Path, tmp_path: Path, kind: str, precision: str
) -> None:
    overrides = [f"model.kind={kind}"] if kind != "stage" else []
    config: RunConfig = random_run(
        random_data, tmp_path / "run", *overrides, f"training.precision={precision}"
    )
    trained, scores = train(config)
    assert next(trained.model.parameters()).device.type == "cpu"
    again = evaluate_model(trained, open_questions(random_data, config.data.limits), "cpu")
    assert again.qa_accuracy == pytest.approx(scores.qa_accuracy, abs=0.17)  # one of six questions may flip
