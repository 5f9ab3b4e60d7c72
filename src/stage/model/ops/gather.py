"""Gathering rows by index, with a segment sum as its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from stage.model.ops.matmul import in_blocks


def gather_rows(x: Tensor, rows: Tensor) -> Tensor:
    """x[rows]: (n, ...) and (P,) -> (P, ...). Its gradient is a matrix product, or sums of consecutive rows."""
    gathered: Tensor = _Gather.apply(x, rows)  # type: ignore[no-untyped-call]
    return gathered


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = x.shape[0]
        return x[rows]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return segment_sum(grads[0], ctx.saved_tensors[0], ctx.count), None


def segment_sum(x: Tensor, rows: Tensor, count: int) -> Tensor:
    """Segment sum: result[i] is the sum of all x[j] with rows[j] == i. (P, ...) -> (count, ...). No gradient."""
    if not in_blocks(x):
        belongs = torch.arange(count, device=x.device)[:, None] == rows
        return (belongs.to(x.dtype) @ x.flatten(1)).view(count, *x.shape[1:])
    total = x.new_zeros(count, *x.shape[1:], dtype=torch.float32)
    segments, lengths = torch.unique_consecutive(rows, return_counts=True)
    for segment, run in zip(segments.tolist(), x.split(lengths.tolist()), strict=True):
        total[segment] += run.sum(0, dtype=torch.float32)
    return total.to(x.dtype)
