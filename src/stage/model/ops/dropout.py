"""Dropout with cheap masks.

Drawing one random number per element takes more time on a CPU than the matrix products of the model. Here one
64-bit random integer gives the bytes of eight elements, so the rate is rounded to a 256th, and survivors are scaled
by exactly the rounded rate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes elements with probability `rate` in training (rounded to a 256th, 255 at most); scales the others up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropped_of_256 = min(round(rate * 256), 255)

    @property
    def scale(self) -> float:
        """The factor that survivors are multiplied by."""
        return 256 / (256 - self.dropped_of_256) if self.training else 1.0

    def draw(self, like: Tensor) -> Tensor | None:
        """1 for elements that survive, 0 for others, uint8; None if all survive."""
        if not self.training or self.dropped_of_256 == 0:
            return None
        numbers = torch.empty((like.numel() + 7) // 8, dtype=torch.int64, device=like.device)
        drawn = numbers.random_(-(2**63), None).view(torch.uint8)
        kept = drawn[: like.numel()].view(like.shape) >= self.dropped_of_256
        # As integers, since compiled loops are slow on booleans.
        return kept.view(torch.uint8)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.draw(x)
        return x if kept is None else x * kept.to(x.dtype).mul_(self.scale)
