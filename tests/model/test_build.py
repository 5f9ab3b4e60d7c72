"""The losses of a step, which may be divided into parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from samples.baselines import SYSTEMS
from samples.data_folder import REGION_DIM, TEXT_DIM
from stage.data.batch import Batch
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.model.build import KINDS, VideoQASystem, build_model, training_losses
from stage.model.losses import LossWeights, stage_loss_sums
from stage.model.stage import Stage

SETTINGS = {"stage": {"kind": "stage"}, **SYSTEMS}
WEIGHTS = LossWeights()


def make_system(name: str, **settings: Any) -> VideoQASystem:
    torch.manual_seed(4)
    sizes = {"hidden": 8, "embedding": 8, "text_dim": TEXT_DIM, "region_dim": REGION_DIM, "dropout": 0.0}
    chosen = {**sizes, **SETTINGS[name], **settings}
    return build_model(KINDS[chosen["kind"]].model_validate(chosen)).train()


def divided(data: Path, *sizes: int) -> list[Batch]:
    """The first questions of a data folder as batches of these sizes."""
    questions = open_questions(data, Limits())
    examples = iter([questions.example(i) for i in range(sum(sizes))])
    return [collate([next(examples) for _ in range(size)]) for size in sizes]


def gradients(model: VideoQASystem, parts: list[Batch]) -> tuple[Tensor, dict[str, Tensor]]:
    """The total loss and its gradients."""
    losses, _ = training_losses(model, parts, WEIGHTS)
    losses.total.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return losses.total.detach(), found


@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_has_one_loss_however_it_is_divided(
    random_data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(  # which negative regions are drawn is chance
        "torch.multinomial",
        lambda weights, count, replacement: weights.argmax(1, keepdim=True).expand(-1, count),
    )
    model, uneven = make_system(name), divided(random_data, 3, 1, 2)
    if isinstance(model, Stage):  # the parts' own ratios of proposals to questions differ
        sums = [stage_loss_sums(model, part, WEIGHTS) for part in uneven]
        assert len({len(part.logits) / part.questions for part in sums}) > 1
    loss, whole = gradients(model, divided(random_data, 6))
    again, found = gradients(model, uneven)
    torch.testing.assert_close(again, loss)
    assert found.keys() == whole.keys()
    for parameter, gradient in whole.items():
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-3, atol=1e-5, msg=parameter)


@pytest.mark.parametrize("name", SETTINGS)
def test_parts_that_are_computed_again_draw_the_same_random_numbers(
    random_data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model, parts = make_system(name, dropout=0.3), divided(random_data, 2, 2, 2)
    torch.manual_seed(9)
    loss, found = gradients(model, parts)
    monkeypatch.setattr("stage.model.build.checkpoint", lambda compute, *inputs, **_: compute(*inputs))
    torch.manual_seed(9)
    kept_loss, kept = gradients(model, parts)
    assert torch.equal(loss, kept_loss)
    assert all(torch.equal(found[parameter], kept[parameter]) for parameter in kept)
    assert not torch.equal(gradients(model, parts)[0], loss)  # another draw is another loss


def test_the_activations_of_only_one_part_are_kept(random_data: Path) -> None:
    model = make_system("stage")

    def kept(parts: list[Batch]) -> int:
        """Elements that are kept for the gradient."""
        sizes: list[int] = []

        def pack(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            training_losses(model, parts, WEIGHTS)
        return sum(sizes)

    first, second, third = divided(random_data, 2, 2, 2)
    assert kept([first, second, third]) < 1.2 * kept([third])
