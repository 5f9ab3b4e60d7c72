"""Embedding without padding: real elements alone, in sizes that recur."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from stage.model.sequences import PaddedSequences


def round_up(size: int) -> int:
    """The next size of four significant bits: at most an eighth more.

    A CPU's bfloat16 kernels are generated for one shape, which takes longer than running one. So the model computes
    on sizes that recur.
    """
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


def embed_real(
    embed: Callable[[Tensor], Tensor], elements: Tensor, mask: Tensor, *, exact: bool
) -> PaddedSequences:
    """Embed the elements of padded sequences: (C, ..., L, D) -> (C, ..., L, d), zero where padded.

    Only real elements are embedded, and C and L are rounded up. exact: embed padding too, and keep all sizes.
    """
    if exact:
        return PaddedSequences(embed(elements), mask)
    real = mask.flatten().nonzero()[:, 0]
    rows = elements.flatten(0, -2)[F.pad(real, (0, round_up(len(real)) - len(real)))]
    mask = F.pad(
        mask,
        (0, round_up(mask.shape[-1]) - mask.shape[-1])
        + (0, 0) * (mask.dim() - 2)
        + (0, round_up(len(mask)) - len(mask)),
    )
    rows = embed(rows)
    embedded = rows.new_zeros(*mask.shape, rows.shape[-1])
    embedded[mask] = rows[: len(real)]
    return PaddedSequences(embedded, mask)
