"""Products of many rows with a small matrix, or of many small matrices.

A CPU makes its kernels for bfloat16 for one shape. That takes longer than to run one, and each keeps half a megabyte.
Rows come in as many numbers as there are clips and questions, so they are taken in blocks of a few sizes.
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
    """What a product of x is computed in: autocast's numbers where there are such, or its own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def matmul(rows: Tensor, matrix: Tensor) -> Tensor:
    """(M, K) @ (K, N), both in the same numbers, without a gradient."""
    if not _in_blocks(rows):
        return rows @ matrix
    product = rows.new_empty(len(rows), matrix.shape[1])
    for first, last in _blocks(len(rows)):
        torch.mm(rows[first:last], matrix, out=product[first:last])
    return product


def matmul_transposed(rows: Tensor, others: Tensor) -> Tensor:
    """(M, K).T @ (M, N), without a gradient; added up in float32."""
    if not _in_blocks(rows):
        return rows.T @ others
    product = rows.new_zeros(rows.shape[1], others.shape[1], dtype=torch.float32)
    for first, last in _blocks(len(rows)):
        product += rows[first:last].T @ others[first:last]
    return product


def linear(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ matrix.T + bias, in autocast's numbers where there are such. (..., K), (N, K), (N,) -> (..., N)"""
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
    """a @ b for each of a batch: (P, M, K) and (P, K, N) -> (P, M, N), in autocast's numbers where there are such."""
    product: Tensor = _Batched.apply(a.to(compute_dtype(a)), b.to(compute_dtype(b)))  # type: ignore[no-untyped-call]
    return product


class _Batched(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _batched(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        a, b = ctx.saved_tensors
        grad = grads[0]
        return _batched(grad, b.transpose(1, 2)), _batched(a.transpose(1, 2), grad)


def _batched(a: Tensor, b: Tensor) -> Tensor:
    if not _in_blocks(a):
        return a @ b
    product = a.new_empty(len(a), a.shape[1], b.shape[2])
    # These differ in all their sizes. They are small, and in float32 no kernel has to be made for them.
    for first, last in _blocks(len(a), LARGEST_BATCH):
        product[first:last] = a[first:last].float() @ b[first:last].float()
    return product


def segment_sum(x: Tensor, rows: Tensor, count: int) -> Tensor:
    """What `rows` says to belong together is added up: (P, ...) -> (count, ...). Without a gradient."""
    if not _in_blocks(x):
        whose = torch.arange(count, device=x.device)[:, None] == rows
        return (whose.to(x.dtype) @ x.flatten(1)).view(count, *x.shape[1:])
    total = x.new_zeros(count, *x.shape[1:], dtype=torch.float32)
    which, lengths = torch.unique_consecutive(rows, return_counts=True)
    for row, run in zip(which.tolist(), x.split(lengths.tolist()), strict=True):
        total[row] += run.sum(0, dtype=torch.float32)
    return total.to(x.dtype)


def _in_blocks(rows: Tensor) -> bool:
    return rows.dtype == torch.bfloat16 and rows.device.type == "cpu" and not torch.compiler.is_compiling()


def _blocks(rows: int, largest: int = LARGEST_BLOCK) -> Iterator[tuple[int, int]]:
    """Full blocks, then ever smaller powers of two."""
    first = 0
    while first < rows:
        size = min(largest, 1 << ((rows - first).bit_length() - 1))
        yield first, first + size
        first += size
