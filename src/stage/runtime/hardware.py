"""The hardware: best device, bfloat16 support, usable cores."""

from __future__ import annotations

import os
from functools import cache


def best_device() -> str:
    """ "cuda" where PyTorch sees a GPU (CUDA_VISIBLE_DEVICES hides it), else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def bfloat16_is_fast(device: str = "cpu") -> bool:
    """Whether matrix products are faster in bfloat16 than in float32 on a device ("cpu", "cuda", ...).

    CPUs without hardware support emulate it, tens of times slower than float32.
    """
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    # torch has no public function for this.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def usable_cores() -> int:
    """The number of cores that this process may use, which `taskset` or a cluster's scheduler can limit."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, not on Windows
        return os.cpu_count() or 1
