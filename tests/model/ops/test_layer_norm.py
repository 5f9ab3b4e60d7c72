"""The normalised maximum."""

from __future__ import annotations

import torch

from stage.model.ops.layer_norm import normalised_maximum
from stage.model.sequences import MASKED


def test_a_normalised_maximum_is_the_maximum_of_what_is_normalised() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 5, 6, generator=generator)
    mask = torch.arange(5) < torch.tensor([5, 1, 3, 0])[:, None]
    norm = torch.nn.LayerNorm(6)
    norm.weight.data.normal_(generator=generator)
    pull = torch.randn(4, 6, generator=generator)
    found = []
    for maximum in (
        normalised_maximum(x, norm, mask),
        norm(x).masked_fill(~mask[..., None], MASKED).amax(-2),
    ):
        maximum[:3].mul(pull[:3]).sum().backward()  # with nothing to learn below
        assert norm.weight.grad is not None
        found.append((maximum.detach(), norm.weight.grad.clone()))
        norm.weight.grad = None
    torch.testing.assert_close(found[0], found[1])
    with torch.no_grad():
        torch.testing.assert_close(normalised_maximum(x, norm, mask), found[1][0])
