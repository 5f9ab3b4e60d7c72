"""Padded sequences with their mask, which travel through the model together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def round_up(size: int) -> int:
    """The next size of four significant bits: at most an eighth more.

    A CPU's kernels for bfloat16 are made for one shape, which takes longer than to run one. So what the model
    computes on has sizes that come again.
    """
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


@dataclass(frozen=True, slots=True)
class Sequences:
    """Vectors of words or regions, and which of them are real."""

    values: Tensor
    """(..., L, d)"""
    mask: Tensor
    """(..., L)"""

    def for_pieces(self, wanted: Sequence[Tensor]) -> list[Sequences]:
        """Rows along the first axis, for each of the wanted lists of positions.

        All are taken at once, since the gradient of taking is as large as what is taken from.
        """
        # Not len(), which would be a constant in an exported graph.
        rows, sizes = torch.cat(list(wanted)), [mine.shape[0] for mine in wanted]
        taken = self.values[rows].split(sizes), self.mask[rows].split(sizes)
        return [Sequences(values, mask) for values, mask in zip(*taken, strict=True)]

    def cut(self, length: int) -> Sequences:
        """Without what lies beyond `length`."""
        return Sequences(self.values[..., :length, :], self.mask[..., :length])

    def in_a_row(self, rows: Tensor) -> Sequences:
        """(n, K, L, d) -> (P, K * L, d): for every row its question's hypotheses, one after the other.

        With one question only they are given once, (1, K * L, d).
        """
        values, mask = self.values.flatten(1, 2), self.mask.flatten(1, 2)
        return Sequences(values, mask) if len(values) == 1 else Sequences(values[rows], mask[rows])
