"""Dropout whose masks cost little.

Drawing one random number an element takes more time on a CPU than the matrix products of the model. Here one
64-bit random integer gives the bytes of eight elements, so the rate is rounded to a 256th and the survivors are
scaled by exactly that rate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes elements with probability `rate` (rounded to a 256th) in training; scales the others up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropped_of_256 = round(rate * 256)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.dropped_of_256 == 0:
            return x
        numbers = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device).random_(
            -(2**63), None
        )
        random_bytes = numbers.view(torch.uint8)[: x.numel()].view(x.shape)
        kept = (random_bytes >= self.dropped_of_256).to(x.dtype)
        return x * kept.mul_(256 / (256 - self.dropped_of_256))
