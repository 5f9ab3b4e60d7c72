"""L2 normalisation and the dropout after it, as one operation."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd.function import Function

from stage.model.ops.compiled import fused
from stage.model.ops.dropout import Dropout
from stage.model.ops.layer_norm import flat_rows


def l2_normalise(x: Tensor, dropout: Dropout | None = None) -> Tensor:
    """dropout(x / |x|). (..., dim) -> the same shape"""
    kept, scale = (flat_rows(dropout.draw(x)), dropout.scale) if dropout else (None, 1.0)
    y: Tensor = _L2Normalised.apply(x.flatten(0, -2), kept, scale)  # type: ignore[no-untyped-call]
    return y.view(x.shape)


SHORTEST = 1e-12
"""Vectors shorter than this are divided by it."""


class _L2Normalised(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor | None, scale: float) -> Tensor:
        ctx.save_for_backward(x, kept)
        ctx.scale = scale
        return _divide(x, kept, scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, kept = ctx.saved_tensors
        return _divide_back(grads[0].contiguous(), x, kept, ctx.scale), None, None


@fused
def _divide(x: Tensor, kept: Tensor | None, scale: float) -> Tensor:
    real = x.float()
    y = real * (scale / _length(real))
    return (y if kept is None else y * kept).to(x.dtype)


@fused
def _divide_back(grad: Tensor, x: Tensor, kept: Tensor | None, scale: float) -> Tensor:
    real, length = x.float(), _length(x.float())
    back = grad.float() * scale
    back = back if kept is None else back * kept
    unit = real / length
    return ((back - unit * (back * unit).sum(-1, keepdim=True)) / length).to(x.dtype)


def _length(x: Tensor) -> Tensor:
    return (x * x).sum(-1, keepdim=True).sqrt().clamp(min=SHORTEST)
