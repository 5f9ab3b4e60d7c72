"""Padded sequences with masks, and rows stored once that several frames share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MASKED = -1e10
"""Stands in for scores of padding, so that padding is never a maximum and has no share in a softmax."""


@dataclass(frozen=True, slots=True)
class PaddedSequences:
    """Vectors of words or regions; the mask is true where they are real."""

    values: Tensor
    """(..., L, d)"""
    mask: Tensor
    """(..., L)"""

    def __getitem__(self, rows: Tensor) -> PaddedSequences:
        """Rows along the first axis."""
        return PaddedSequences(self.values[rows], self.mask[rows])

    def split(self, rows: Sequence[Tensor]) -> list[PaddedSequences]:
        """`self[rows[0]]`, `self[rows[1]]`, ..., gathered at once: one gradient of the size of `values`, not many."""
        # Not len(), which would be a constant in an exported graph.
        every, sizes = torch.cat(list(rows)), [mine.shape[0] for mine in rows]
        pairs = zip(self.values[every].split(sizes), self.mask[every].split(sizes), strict=True)
        return [PaddedSequences(values, mask) for values, mask in pairs]

    def cut(self, length: int) -> PaddedSequences:
        """Without what lies beyond `length`."""
        return PaddedSequences(self.values[..., :length, :], self.mask[..., :length])

    def joined(self) -> PaddedSequences:
        """A question's hypotheses one after the other: (n, K, L, d) -> (n, K L, d)."""
        return PaddedSequences(self.values.flatten(1, 2), self.mask.flatten(1, 2))


@dataclass(frozen=True, slots=True)
class Repeated:
    """The rows `values[index]`, without a copy for each: what is computed from them is computed once."""

    values: Tensor
    """(n, ...)"""
    index: Tensor
    """(B,)"""

    def gather(self) -> Tensor:
        """(B, ...)"""
        return self.values[self.index]
