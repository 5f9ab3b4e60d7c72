"""What this machine computes with: its device, the dtype that it is fast in, the cores that may be used."""

from __future__ import annotations

import os
from functools import cache


def best_device() -> str:
    """ "cuda" where PyTorch sees a GPU (CUDA_VISIBLE_DEVICES hides it), else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def bfloat16_is_fast(device: str = "cpu") -> bool:
    """Whether matrix products are faster in bfloat16 than in float32 on a kind of device ("cpu", "cuda", ...).

    CPUs that don't have it in hardware compute it by conversion, tens of times slower than float32.
    """
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    # torch has no public question for this.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def usable_cores() -> int:
    """Those that it is not kept from, as by `taskset` or a cluster's scheduler."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, not on Windows
        return os.cpu_count() or 1
