"""Padded sequences with their mask, which travel through the model together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from stage.model.ops.matmul import segment_sum

MASKED = -1e10
"""What stands where there is nothing, so that it is no maximum and has no share in a softmax."""


def round_up(size: int) -> int:
    """The next size of four significant bits: at most an eighth more.

    A CPU's kernels for bfloat16 are made for one shape, which takes longer than to run one. So what the model
    computes on has sizes that come again.
    """
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


@dataclass(frozen=True, slots=True)
class PaddedSequences:
    """Vectors of words or regions, and which of them are real."""

    values: Tensor
    """(..., L, d)"""
    mask: Tensor
    """(..., L)"""

    def for_pieces(self, wanted: Sequence[Tensor]) -> list[PaddedSequences]:
        """Rows along the first axis, for each of the wanted lists of positions.

        All are taken at once, since the gradient of taking is as large as what is taken from.
        """
        # Not len(), which would be a constant in an exported graph.
        rows, sizes = torch.cat(list(wanted)), [mine.shape[0] for mine in wanted]
        taken = self.values[rows].split(sizes), self.mask[rows].split(sizes)
        return [PaddedSequences(values, mask) for values, mask in zip(*taken, strict=True)]

    def cut(self, length: int) -> PaddedSequences:
        """Without what lies beyond `length`."""
        return PaddedSequences(self.values[..., :length, :], self.mask[..., :length])

    def in_a_row(self) -> PaddedSequences:
        """(n, K, L, d) -> (n, K * L, d): a question's hypotheses, one after the other."""
        return PaddedSequences(self.values.flatten(1, 2), self.mask.flatten(1, 2))


def gather_rows(x: Tensor, rows: Tensor) -> Tensor:
    """x[rows], for a gradient that is a product: (n, ...) and (P,) -> (P, ...)"""
    taken: Tensor = _Take.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


class _Take(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = x.shape[0]
        return x[rows]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return segment_sum(grads[0], ctx.saved_tensors[0], ctx.count), None
