"""The linear map of [a; b; a*b] after LayerNorm, without concatenating.

With centred weights W' = W diag(gamma) - mean, the map of a normalised row is W' [a; b; a*b] / deviation + constant.
So it splits: the parts of a and b are computed where these are few (once per hypothesis, once per context element),
and only the product is mapped for every word of every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function

from stage.model.ops.compiled import fused
from stage.model.ops.dropout import Dropout
from stage.model.ops.gather import segment_sum
from stage.model.ops.layer_norm import EPSILON
from stage.model.ops.matmul import batched_matmul, linear, matmul, matmul_transposed
from stage.model.sequences import Repeated


class ConcatProjection(nn.Module):
    """ReLU(linear(dropout(LayerNorm([a; b; a*b])))): 3d -> d.

    Dropout zeroes features: the same ones in all rows of a call, others in the next call. (The release draws for
    every element; then nothing could be computed once for several rows.)
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3 * dim)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(3 * dim, dim)

    def forward(self, a: Repeated, b: Tensor, weights: Tensor | None = None) -> Tensor:
        """a: (P, Q, d), of which equal rows are stored once; b: (P, Q, d) -> (P, Q, d).

        With weights (P, Q, C), the second operand is weights @ b, for b: (P, C, d).
        """
        split = self._split(b.dtype)
        mapped = linear(b, split.second)
        if weights is not None:
            # The map of the weighted sum is the weighted sum of the map, which has fewer rows.
            b, mapped = batched_matmul(weights, b), batched_matmul(weights, mapped)
        result: Tensor = _ProjectConcat.apply(  # type: ignore[no-untyped-call]
            a.values.to(b.dtype),
            a.index,
            b,
            linear(a.values, split.first),
            mapped,
            split.product.to(b.dtype),
            split.constant,
        )
        return result

    def _split(self, dtype: torch.dtype) -> _SplitWeights:
        """The centred weights of one call."""
        dropped = self.linear.weight * self.dropout(torch.ones_like(self.norm.weight))
        weight = dropped * self.norm.weight
        first, second, product = (weight - weight.mean(1, keepdim=True)).to(dtype).chunk(3, 1)
        return _SplitWeights(first, second, product, dropped @ self.norm.bias + self.linear.bias)


@dataclass(frozen=True, slots=True)
class _SplitWeights:
    """The parts of the map that a, b and a*b go through, (d_out, d) each, and the constant (d_out,)."""

    first: Tensor
    second: Tensor
    product: Tensor
    constant: Tensor


class _ProjectConcat(Function):
    """y = ReLU((a_mapped + b_mapped + product (a*b)) / deviation + constant), row by row."""

    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        index: Tensor,
        b: Tensor,
        a_mapped: Tensor,
        b_mapped: Tensor,
        product: Tensor,
        constant: Tensor,
    ) -> Tensor:
        words = torch.arange(b.shape[1], device=b.device)
        source = (index[:, None] * b.shape[1] + words).flatten()  # the row of a for each row of b
        rows, others = a.flatten(0, 1), b.flatten(0, 1)
        both, mean, scale = _products(rows, source, others)
        with torch.autocast(a.device.type, enabled=False):
            mapped = matmul(both, product.T)
        y = _finish(mapped, a_mapped.flatten(0, 1), source, b_mapped.flatten(0, 1), scale, constant)
        ctx.save_for_backward(rows, source, others, product, constant, mean, scale, y, index)
        ctx.shape = b.shape
        return y.view(b.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        a, source, b, product, constant, mean, scale, y, index = ctx.saved_tensors
        scaled, pull, grad_constant = _before_scaling(grads[0].reshape(y.shape), y, scale, constant)
        grad_a, grad_b, both = _factors(matmul(scaled, product), a, source, b, pull, mean)
        count = a.shape[0] // ctx.shape[1]
        return (
            segment_sum(grad_a.view(ctx.shape), index, count),
            None,
            grad_b.view(ctx.shape),
            segment_sum(scaled.view(ctx.shape), index, count),
            scaled.view(ctx.shape),
            matmul_transposed(scaled, both).to(product.dtype),
            grad_constant,
        )


@fused
def _products(a: Tensor, source: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """a*b; mean and 1/deviation of each row [a; b; a*b], in float32."""
    a = a[source]
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
    mapped: Tensor, a_mapped: Tensor, source: Tensor, b_mapped: Tensor, scale: Tensor, constant: Tensor
) -> Tensor:
    total = (mapped.float() + a_mapped[source]).add_(b_mapped)
    return total.mul_(scale).add_(constant).relu_().to(mapped.dtype)


@fused
def _before_scaling(
    grad: Tensor, y: Tensor, scale: Tensor, constant: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the sum before scaling, of the deviation (as a factor on every element), and of the constant."""
    active = torch.ops.aten.threshold_backward(grad, y, 0).float()
    along = (y - constant).mul_(active).sum(-1, keepdim=True)
    pull = along * scale * scale / (-3 * y.shape[-1])
    return (active * scale).to(grad.dtype), pull, active.sum(0)


@fused
def _factors(
    grad_both: Tensor, a: Tensor, source: Tensor, b: Tensor, pull: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a, for every row, and of b; also a*b."""
    first, second = a[source].float(), b.float()
    both = first * second
    shift = pull * mean
    grad = (both * pull).add_(grad_both).sub_(shift)
    grad_a = (grad * second).addcmul_(first, pull).sub_(shift)
    grad_b = grad.mul_(first).addcmul_(second, pull).sub_(shift)
    return grad_a.to(b.dtype), grad_b.to(b.dtype), both.to(b.dtype)
