"""What a machine computes on, and which numbers it is fast at."""

from __future__ import annotations

from functools import cache

import torch


def fastest_device() -> str:
    """ "cuda" where PyTorch sees a GPU (CUDA_VISIBLE_DEVICES hides it), else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def bfloat16_pays(device: str = "cpu") -> bool:
    """Whether matrix products are faster in bfloat16 than in float32 on a kind of device ("cpu", "cuda", ...).

    CPUs that don't have it in hardware compute it by conversion, tens of times slower than float32.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    # torch has no public question for this.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
