"""The model computes what the authors' release computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from golden import COMPACT, Golden
from samples.places import SHARED
from stage.model.losses import (
    LossWeights,
    answer_loss,
    attention_loss,
    score_proposals,
    span_loss,
    training_proposals,
)
from stage.model.stage import Stage
from stage.release.weights import from_release, our_name

FILES = [COMPACT, SHARED / "golden" / "full.npz", SHARED / "golden" / "sub_only.npz"]
RELATIVE = 1e-4


# Gradients that are zero in exact arithmetic are rounding noise on both sides.
ROUNDING = 1e-5


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Golden:
    path: Path = request.param
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    return Golden.read(path)


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    scale = float(theirs.abs().max())
    torch.testing.assert_close(ours, theirs, rtol=RELATIVE, atol=RELATIVE * scale)


def test_answers_and_spans_are_those_of_the_release(golden: Golden) -> None:
    model = from_release(golden.weights)
    with torch.no_grad():
        answered = model.answer(golden.batch)
    close(answered.logits, golden.tensor("eval/answer_scores"))
    probabilities = torch.stack([answered.start_probabilities, answered.end_probabilities], dim=-1)
    close(probabilities, golden.tensor("eval/span_probs"))


def test_losses_and_gradients_are_those_of_the_release(golden: Golden) -> None:
    norms = gradient_norms(from_release(golden.weights), golden)
    theirs = {our_name(name): norm for name, norm in golden.grad_norms.items()}
    assert norms.keys() == theirs.keys()
    # Where two words are equal to the last digit, the processor's rounding decides which one is the maximum and gets
    # the gradient. Then weights that differ in their last digit must agree with the release throughout.
    for seed in range(5):
        apart = [n for n, norm in norms.items() if norm != pytest.approx(theirs[n], RELATIVE, ROUNDING)]
        if not apart:
            break
        norms = gradient_norms(nudged(from_release(golden.weights), seed), golden)
    assert not apart


def nudged(model: Stage, seed: int) -> Stage:
    """The same model with weights that differ by a rounding error."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 1e-7 * torch.randn(parameter.shape, generator=generator))
    return model


def gradient_norms(model: Stage, golden: Golden) -> dict[str, float]:
    """Of each parameter, once the losses have been found to be those of the release."""
    batch = golden.batch
    assert batch.targets is not None
    grounded = model(batch)
    proposals = training_proposals(grounded.span_logits, batch.targets, batch.frame_mask)
    logits = score_proposals(model, grounded, proposals)
    close(logits, golden.tensor("train/answer_scores"))
    assert batch.targets.answer[proposals.question].tolist() == golden.arrays["train/targets"].tolist()
    real = batch.frame_mask[:, None].expand_as(grounded.span_logits.start)
    theirs = golden.tensor("train/span_logits")
    close(grounded.span_logits.start[real], theirs[..., 0][real])
    close(grounded.span_logits.end[real], theirs[..., 1][real])

    answer = answer_loss(logits, batch.targets.answer[proposals.question]) * (len(batch) / len(logits))
    span = span_loss(grounded.span_logits, batch.targets)
    attention = torch.zeros(())
    if grounded.region_scores is not None:
        pairs = golden.drawn_pairs(grounded.region_scores.shape)
        assert pairs is not None
        attention = attention_loss(grounded.region_scores, pairs)
    weights = LossWeights()
    total = answer + weights.span * span + weights.attention * attention
    close(attention, golden.tensor("train/att_loss"))
    close(span, golden.tensor("train/temporal_loss"))
    close(total, golden.tensor("train/loss"))

    total.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    return {name: float(gradient.norm()) for name, gradient in gradients.items() if gradient is not None}
