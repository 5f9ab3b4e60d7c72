"""The linear map of [a ; b ; a*b] after LayerNorm, which attention and fusion have in common, done cheaply.

With centred weights W' = W diag(gamma) - mean, the map of the normalised row is (W' [a ; b ; a*b]) / deviation
+ constant. So it falls apart: what a and b give can be computed where they are few (once a hypothesis, once a
context element), and only the product is mapped for every word of every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function

from stage.model.ops.compiled import EPSILON, fused
from stage.model.ops.dropout import Dropout
from stage.model.ops.matmul import matmul, matmul_transposed, segment_sum


@dataclass(frozen=True, slots=True)
class SplitWeights:
    """The parts of a joint map. Each (d_out, d), the constant (d_out,)."""

    first: Tensor
    second: Tensor
    product: Tensor
    constant: Tensor


class ConcatProjection(nn.Module):
    """LayerNorm, dropout, linear map and ReLU of [a ; b ; a*b]: 3d -> d.

    Dropout leaves out features: the same ones in all rows that are computed together, others in the next. (The
    release draws for every element anew; then nothing could be computed once for several rows.)
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3 * dim)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(3 * dim, dim)

    def split(self, dtype: torch.dtype) -> SplitWeights:
        """The weights for rows that are computed together."""
        linear = self.linear.weight * self.dropout(torch.ones_like(self.norm.weight))
        weight = linear * self.norm.weight
        first, second, product = (weight - weight.mean(1, keepdim=True)).to(dtype).chunk(3, 1)
        return SplitWeights(first, second, product, linear @ self.norm.bias + self.linear.bias)


def project_concat(
    a: Tensor, of_row: Tensor, b: Tensor, a_mapped: Tensor, b_mapped: Tensor, weights: SplitWeights
) -> Tensor:
    """Map [a ; b ; a*b], given what the parts of the map make of a and b.

    a, a_mapped: (A, words, d); b, b_mapped: (P, words, d); of_row: (P,) which a goes with each b.
    Returns (P, words, d).
    """
    mapped: Tensor = _JointMap.apply(  # type: ignore[no-untyped-call]
        a.to(b.dtype), of_row, b, a_mapped, b_mapped, weights.product.to(b.dtype), weights.constant
    )
    return mapped


class _JointMap(Function):
    """y = ReLU((a_mapped + b_mapped + product (a*b)) / deviation + constant), row by row."""

    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        of_row: Tensor,
        b: Tensor,
        a_mapped: Tensor,
        b_mapped: Tensor,
        product: Tensor,
        constant: Tensor,
    ) -> Tensor:
        words = torch.arange(b.shape[1], device=b.device)
        at = (of_row[:, None] * b.shape[1] + words).flatten()  # which row of a goes with each row of b
        rows, others = a.flatten(0, 1), b.flatten(0, 1)
        both, mean, scale = _products(rows, at, others)
        with torch.autocast(a.device.type, enabled=False):
            mapped = matmul(both, product.T)
        y = _finish(mapped, a_mapped.flatten(0, 1), at, b_mapped.flatten(0, 1), scale, constant)
        ctx.save_for_backward(rows, at, others, product, constant, mean, scale, y, of_row)
        ctx.shape = b.shape
        return y.view(b.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        a, at, b, product, constant, mean, scale, y, of_row = ctx.saved_tensors
        scaled, pull, grad_constant = _before_scaling(grads[0].reshape(y.shape), y, scale, constant)
        grad_a, grad_b, both = _factors(matmul(scaled, product), a, at, b, pull, mean)
        count = a.shape[0] // ctx.shape[1]
        return (
            segment_sum(grad_a.view(ctx.shape), of_row, count),
            None,
            grad_b.view(ctx.shape),
            segment_sum(scaled.view(ctx.shape), of_row, count),
            scaled.view(ctx.shape),
            matmul_transposed(scaled, both).to(product.dtype),
            grad_constant,
        )


@fused
def _products(a: Tensor, at: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """a*b; mean and 1/deviation of each row [a ; b ; a*b], in float32."""
    a = a[at]
    both = a * b
    width = 3 * b.shape[-1]
    mean = (_sum(a) + _sum(b) + _sum(both)) / width
    squares = (_squares(a) + _squares(b) + _squares(both)) / width
    return both, mean, (squares - mean * mean).clamp(min=0).add(EPSILON).rsqrt()


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True, dtype=torch.float32)


def _squares(x: Tensor) -> Tensor:
    if not torch.compiler.is_compiling():
        norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return norm.square_()
    return (x.float() * x.float()).sum(-1, keepdim=True)


@fused
def _finish(
    mapped: Tensor, a_mapped: Tensor, at: Tensor, b_mapped: Tensor, scale: Tensor, constant: Tensor
) -> Tensor:
    total = (mapped.float() + a_mapped[at]).add_(b_mapped)
    return total.mul_(scale).add_(constant).relu_().to(mapped.dtype)


@fused
def _before_scaling(
    grad: Tensor, y: Tensor, scale: Tensor, constant: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of what was scaled, of the deviation (as a pull on every element), and of the constant."""
    active = torch.ops.aten.threshold_backward(grad, y, 0).float()
    along = (y - constant).mul_(active).sum(-1, keepdim=True)
    pull = along * scale * scale / (-3 * y.shape[-1])
    return (active * scale).to(grad.dtype), pull, active.sum(0)


@fused
def _factors(
    grad_both: Tensor, a: Tensor, at: Tensor, b: Tensor, pull: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a (for every row) and of b; also a*b."""
    first, second = a[at].float(), b.float()
    both = first * second
    shift = pull * mean
    grad = (both * pull).add_(grad_both).sub_(shift)
    grad_a = (grad * second).addcmul_(first, pull).sub_(shift)
    grad_b = grad.mul_(first).addcmul_(second, pull).sub_(shift)
    return grad_a.to(b.dtype), grad_b.to(b.dtype), both.to(b.dtype)
