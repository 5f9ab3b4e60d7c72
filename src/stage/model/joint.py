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

from stage.model.dropout import Dropout


@dataclass(frozen=True, slots=True)
class SplitWeights:
    """The parts of a joint map. Each (d_out, d), the constant (d_out,)."""

    first: Tensor
    second: Tensor
    product: Tensor
    constant: Tensor


class JointProjection(nn.Module):
    """LayerNorm, dropout, linear map and ReLU of [a ; b ; a*b]: 3d -> d.

    Dropout leaves out features: the same ones in all rows of a question, others in the next question. (The release
    draws for every element anew; then nothing could be computed once for several rows.)
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3 * dim)
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(3 * dim, dim)

    def split(self, dtype: torch.dtype) -> SplitWeights:
        """The weights for the rows of a question."""
        linear = self.linear.weight * self.dropout(torch.ones_like(self.norm.weight))
        weight = linear * self.norm.weight
        first, second, product = (weight - weight.mean(1, keepdim=True)).to(dtype).chunk(3, 1)
        return SplitWeights(first, second, product, linear @ self.norm.bias + self.linear.bias)


def joint_map(a: Tensor, b: Tensor, a_mapped: Tensor, b_mapped: Tensor, weights: SplitWeights) -> Tensor:
    """Map [a ; b ; a*b], given what the parts of the map make of a and b.

    a, a_mapped: (P or 1, words, d); b, b_mapped: (P, words, d) -> (P, words, d)
    """
    mapped: Tensor = _JointMap.apply(  # type: ignore[no-untyped-call]
        a.to(b.dtype), b, a_mapped, b_mapped, weights.product.to(b.dtype), weights.constant
    )
    return mapped


EPSILON = 1e-5
"""LayerNorm's."""


class _JointMap(Function):
    """y = ReLU((a_mapped + b_mapped + product (a*b)) / deviation + constant), row by row."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, a_mapped: Tensor, b_mapped: Tensor, product: Tensor, constant: Tensor
    ) -> Tensor:
        width = 3 * a.shape[-1]
        both = a * b
        mean = _sum(a).add(_sum(b)).add_(_sum(both)).div_(width)
        variance = _squares(a).add(_squares(b)).add_(_squares(both)).div_(width).sub_(mean * mean)
        scale = variance.clamp_(min=0).add_(EPSILON).rsqrt_()
        with torch.autocast(a.device.type, enabled=False):
            y = both @ product.T
        y.add_(a_mapped).add_(b_mapped).mul_(scale).add_(constant)
        y = torch.relu_(y).to(b.dtype)
        ctx.save_for_backward(a, b, product, constant, mean, scale, y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        a, b, product, constant, mean, scale, y = ctx.saved_tensors
        d = a.shape[-1]
        both = a * b
        active = torch.ops.aten.threshold_backward(grads[0].contiguous(), y, 0)
        flat = active.flatten(0, -2)
        along = (flat.view_as(y) * y).sum(-1, keepdim=True).sub_(active @ constant.to(active.dtype)[:, None])
        scaled = active * scale.to(active.dtype)
        pull = (along.mul_(scale * scale).div_(-3 * d)).to(active.dtype)  # of the deviation, on every element
        shift = pull * mean.to(active.dtype)
        grad_both = (scaled @ product).addcmul_(both, pull).sub_(shift)
        grad_a = (grad_both * b).addcmul_(a, pull).sub_(shift)
        grad_b = grad_both.mul_(a).addcmul_(b, pull).sub_(shift)
        grad_product = scaled.flatten(0, -2).T @ both.flatten(0, -2)
        few = a.shape[0] < b.shape[0]
        return (
            grad_a.sum(0, keepdim=True) if few else grad_a,
            grad_b,
            scaled.sum(0, keepdim=True) if few else scaled,
            scaled,
            grad_product,
            flat.sum(0).float(),
        )


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True, dtype=torch.float32)


def _squares(x: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    return norm.square_()
