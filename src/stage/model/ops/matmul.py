"""Matrix products in the compute dtype; on a CPU in blocks of recurring sizes.

A CPU's bfloat16 kernels are generated for one shape. Generating one takes longer than running it, and each keeps half
a megabyte. The number of rows differs from batch to batch, so rows are taken in blocks of a few sizes that recur.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

LARGEST_BLOCK = 4096
LARGEST_BATCH = 32


def compute_dtype(x: Tensor) -> torch.dtype:
    """The dtype that products of x are computed in: autocast's where it is enabled, else x's own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def matmul(rows: Tensor, matrix: Tensor) -> Tensor:
    """(M, K) @ (K, N), both of the same dtype. No gradient."""
    if not in_blocks(rows):
        return rows @ matrix
    product = rows.new_empty(len(rows), matrix.shape[1])
    for first, last in _blocks(len(rows)):
        torch.mm(rows[first:last], matrix, out=product[first:last])
    return product


def matmul_transposed(rows: Tensor, others: Tensor) -> Tensor:
    """(M, K).T @ (M, N), accumulated in float32. No gradient."""
    if not in_blocks(rows):
        return rows.T @ others
    product = rows.new_zeros(rows.shape[1], others.shape[1], dtype=torch.float32)
    for first, last in _blocks(len(rows)):
        product += rows[first:last].T @ others[first:last]
    return product


def linear(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ matrix.T + bias in the compute dtype. (..., K), (N, K), (N,) -> (..., N)"""
    y: Tensor = _Linear.apply(x.to(compute_dtype(x)).flatten(0, -2), matrix, bias)  # type: ignore[no-untyped-call]
    return y.view(*x.shape[:-1], matrix.shape[0])


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, matrix)
        with torch.autocast(rows.device.type, enabled=False):
            y = matmul(rows, matrix.to(rows.dtype).T)
            return y if bias is None else y.add_(bias.to(rows.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        grad = grads[0].contiguous()
        return (
            matmul(grad, matrix.to(rows.dtype)) if ctx.needs_input_grad[0] else None,
            matmul_transposed(grad, rows).to(matrix.dtype),
            grad.sum(0, dtype=matrix.dtype) if ctx.needs_input_grad[2] else None,
        )


def batched_matmul(a: Tensor, b: Tensor) -> Tensor:
    """a @ b for each of a batch, in the compute dtype: (P, M, K) and (P, K, N) -> (P, M, N)."""
    product: Tensor = _BatchedMatmul.apply(a.to(compute_dtype(a)), b.to(compute_dtype(b)))  # type: ignore[no-untyped-call]
    return product


class _BatchedMatmul(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _batched_matmul(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        a, b = ctx.saved_tensors
        grad = grads[0]
        return _batched_matmul(grad, b.transpose(1, 2)), _batched_matmul(a.transpose(1, 2), grad)


def _batched_matmul(a: Tensor, b: Tensor) -> Tensor:
    if not in_blocks(a):
        return a @ b
    product = a.new_empty(len(a), a.shape[1], b.shape[2])
    # All their sizes vary. They are small, and float32 needs no kernel of its own for each shape.
    for first, last in _blocks(len(a), LARGEST_BATCH):
        product[first:last] = a[first:last].float() @ b[first:last].float()
    return product


def in_blocks(rows: Tensor) -> bool:
    """Whether products of these rows are computed in blocks: in bfloat16 on a CPU."""
    return rows.dtype == torch.bfloat16 and rows.device.type == "cpu" and not torch.compiler.is_compiling()


def _blocks(rows: int, largest: int = LARGEST_BLOCK) -> Iterator[tuple[int, int]]:
    """First and last (excluded) row of each block: full blocks, then ever smaller powers of two."""
    first = 0
    while first < rows:
        size = min(largest, 1 << ((rows - first).bit_length() - 1))
        yield first, first + size
        first += size
