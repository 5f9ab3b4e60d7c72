"""LayerNorm and length 1, each with what stands before and after it, as one operation with its own gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function

from stage.model.execution.padding import MASKED
from stage.model.ops.compiled import fused, layer_norm, layer_norm_back
from stage.model.ops.dropout import Dropout
from stage.model.ops.matmul import compute_dtype


def normalise(x: Tensor, norm: nn.LayerNorm, *, relu: bool = False, dropout: Dropout | None = None) -> Tensor:
    """dropout(norm(x)), or of ReLU(x), in the numbers that products are computed in. (..., dim) -> the same"""
    kept, scale = (dropout.draw(x), dropout.scale) if dropout else (None, 1.0)
    y: Tensor = _Normalised.apply(  # type: ignore[no-untyped-call]
        x.flatten(0, -2), norm.weight * scale, norm.bias * scale, _rows(kept), relu, compute_dtype(x)
    )
    return y.view(x.shape)


class _Normalised(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kept: Tensor | None, relu: bool, dtype: torch.dtype
    ) -> Tensor:
        y, mean, scale = _normalise(x, weight, bias, kept, relu, dtype)
        ctx.save_for_backward(x, weight, mean, scale, kept)
        ctx.relu = relu
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, kept = ctx.saved_tensors
        return (
            *_normalise_back(grads[0].contiguous(), x, weight, mean, scale, kept, ctx.relu),
            None,
            None,
            None,
        )


@fused
def _normalise(
    x: Tensor, weight: Tensor, bias: Tensor, kept: Tensor | None, relu: bool, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    y, mean, scale = layer_norm(torch.relu(x) if relu else x, weight, bias)
    return (y if kept is None else y * kept).to(dtype), mean, scale


@fused
def _normalise_back(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, kept: Tensor | None, relu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    grad = (grad if kept is None else grad * kept).to(x.dtype)
    of_x, of_weight, of_bias = layer_norm_back(grad, torch.relu(x) if relu else x, mean, scale, weight)
    return torch.where(x > 0, of_x, 0) if relu else of_x, of_weight, of_bias


def normalised_maximum(x: Tensor, norm: nn.LayerNorm, mask: Tensor) -> Tensor:
    """The maximum of norm(x) over each sequence, feature by feature; -1e10 for one that is padded throughout.

    x: (..., length, dim); mask: (..., length), true where the sequence is real. Returns (..., dim).
    """
    if torch.compiler.is_compiling():
        normal: Tensor = norm(x)
        return normal.masked_fill(~mask[..., None], MASKED).amax(dim=-2)
    learns = torch.is_grad_enabled() and (x.requires_grad or norm.weight.requires_grad)
    y: Tensor = _NormalisedMaximum.apply(  # type: ignore[no-untyped-call]
        x.flatten(0, -3),
        norm.weight,
        norm.bias,
        mask.flatten(0, -2).to(torch.uint8),
        compute_dtype(x),
        learns,
    )
    return y.view(*x.shape[:-2], x.shape[-1])


class _NormalisedMaximum(Function):
    """What is normalised is as large as all words of all frames, and is not kept."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor, dtype: torch.dtype, learns: bool
    ) -> Tensor:
        if not learns:
            return _maximum(x, weight, bias, mask).to(dtype)
        y, at, mean, scale = _maximum_and_place(x, weight, bias, mask)
        ctx.save_for_backward(x, weight, mean, scale, at)
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *_maximum_back(grads[0].contiguous(), *ctx.saved_tensors), None, None, None


@fused
def _maximum(x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    y, _, _ = layer_norm(x, weight, bias)
    return torch.where(mask[..., None] > 0, y, MASKED).amax(1)


@fused
def _maximum_and_place(
    x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Also where each is, and mean and 1/deviation of each row."""
    y, mean, scale = layer_norm(x, weight, bias)
    best, at = torch.where(mask[..., None] > 0, y, MASKED).max(1)
    return best, at, mean, scale


@fused
def _maximum_back(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, at: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    here = torch.arange(x.shape[1], device=x.device)[:, None] == at[:, None]
    back = torch.where(here, grad[:, None].to(x.dtype), 0)
    return layer_norm_back(back, x, mean, scale, weight)


def l2_normalise(x: Tensor, dropout: Dropout | None = None) -> Tensor:
    """dropout(x / |x|). (..., dim) -> the same"""
    kept, scale = (_rows(dropout.draw(x)), dropout.scale) if dropout else (None, 1.0)
    y: Tensor = _Length1.apply(x.flatten(0, -2), kept, scale)  # type: ignore[no-untyped-call]
    return y.view(x.shape)


SHORTEST = 1e-12


class _Length1(Function):
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


def _rows(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.flatten(0, -2)
