"""Learning rates over a run."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Optimizer, steps: int, rise: float) -> LambdaLR:
    """A straight rise over a share of the steps, then half a cosine down to zero at the last of them."""
    top = max(1, round(rise * steps))

    def factor(step: int) -> float:
        if step < top:
            return (step + 1) / top
        done = min(1.0, (step - top) / max(1, steps - top))
        return 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)
