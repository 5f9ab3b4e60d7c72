"""LayerNorm with the ReLU, dropout or maximum around it, as one operation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function

from stage.model.ops.compiled import fused
from stage.model.ops.dropout import Dropout
from stage.model.ops.matmul import compute_dtype
from stage.model.sequences import MASKED

EPSILON = 1e-5
"""LayerNorm's, added to the variance."""


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm over the last axis; also returns mean and 1/deviation of each row. For use within fused functions.

    Spelled out for the compiler: what it generates from torch's own takes twice as long.
    """
    if not torch.compiler.is_compiling():
        y, mean, scale = torch.native_layer_norm(_like_weights(x), x.shape[-1:], weight, bias, EPSILON)
        return y.to(x.dtype), mean, scale
    real = x.float()
    mean = real.mean(-1, keepdim=True)
    centred = real - mean
    scale = (centred * centred).mean(-1, keepdim=True).add(EPSILON).rsqrt()
    return (centred * scale * weight + bias).to(x.dtype), mean, scale


def layer_norm_back(
    grad: Tensor, x: Tensor, mean: Tensor, scale: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `layer_norm` with respect to x, and to weight and bias in float32."""
    if not torch.compiler.is_compiling():
        inputs = _like_weights(grad), _like_weights(x), x.shape[-1:], mean, scale, weight, weight
        grad_x, grad_weight, grad_bias = torch.ops.aten.native_layer_norm_backward(
            *inputs, [True, True, True]
        )
        return grad_x.to(x.dtype), grad_weight, grad_bias
    rows = tuple(range(x.dim() - 1))
    real, normal = grad.float(), (x.float() - mean) * scale
    inner = real * weight
    along = (inner * normal).mean(-1, keepdim=True)
    grad_x = (inner - inner.mean(-1, keepdim=True) - normal * along) * scale
    return grad_x.to(x.dtype), (real * normal).sum(rows), real.sum(rows)


def _like_weights(x: Tensor) -> Tensor:
    """In float32 like the weights, where the device's LayerNorm doesn't take bfloat16 rows with float32 weights."""
    return x if x.device.type == "cpu" else x.float()


def normalise(x: Tensor, norm: nn.LayerNorm, *, relu: bool = False, dropout: Dropout | None = None) -> Tensor:
    """dropout(norm(x)), or dropout(norm(ReLU(x))), in the compute dtype. (..., dim) -> the same shape"""
    kept, scale = (dropout.draw(x), dropout.scale) if dropout else (None, 1.0)
    y: Tensor = _Normalised.apply(  # type: ignore[no-untyped-call]
        x.flatten(0, -2), norm.weight * scale, norm.bias * scale, flat_rows(kept), relu, compute_dtype(x)
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
    grad_x, grad_weight, grad_bias = layer_norm_back(grad, torch.relu(x) if relu else x, mean, scale, weight)
    return torch.where(x > 0, grad_x, 0) if relu else grad_x, grad_weight, grad_bias


def normalised_maximum(x: Tensor, norm: nn.LayerNorm, mask: Tensor) -> Tensor:
    """The maximum of norm(x) over each sequence, per feature; -1e10 for a sequence of padding alone.

    x: (..., length, dim); mask: (..., length), true where the sequence is real. Returns (..., dim).
    """
    if torch.compiler.is_compiling():
        normal: Tensor = norm(x)
        return normal.masked_fill(~mask[..., None], MASKED).amax(dim=-2)
    needs_grad = torch.is_grad_enabled() and (x.requires_grad or norm.weight.requires_grad)
    y: Tensor = _NormalisedMaximum.apply(  # type: ignore[no-untyped-call]
        x.flatten(0, -3),
        norm.weight,
        norm.bias,
        mask.flatten(0, -2).to(torch.uint8),
        compute_dtype(x),
        needs_grad,
    )
    return y.view(*x.shape[:-2], x.shape[-1])


class _NormalisedMaximum(Function):
    """The normalised values, as large as all words of all frames, are recomputed for the gradient and not stored."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor, dtype: torch.dtype, needs_grad: bool
    ) -> Tensor:
        if not needs_grad:
            return _maximum(x, weight, bias, mask).to(dtype)
        y, at, mean, scale = _maximum_and_argmax(x, weight, bias, mask)
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
def _maximum_and_argmax(
    x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maximum and argmax over each sequence, mean and 1/deviation of each row."""
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


def flat_rows(x: Tensor | None) -> Tensor | None:
    """(..., dim) -> (rows, dim)"""
    return None if x is None else x.flatten(0, -2)
