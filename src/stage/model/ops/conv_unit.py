"""The convolution unit of the encoders, as one operation that stores little.

Its intermediate values are as large as all words of all frames, and memory bounds a step: everything is recomputed
from the input.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function

from stage.model.ops.compiled import fused
from stage.model.ops.layer_norm import layer_norm, layer_norm_back
from stage.model.ops.matmul import matmul, matmul_transposed


def convolution_unit(
    x: Tensor,
    norm: tuple[Tensor, Tensor],
    depthwise: tuple[Tensor, Tensor],
    pointwise: tuple[Tensor, Tensor],
    seen: Tensor | None,
) -> Tensor:
    """x + ReLU(pointwise(depthwise(seen * LayerNorm(x)))), with zeros beyond both ends of a sequence.

    x: (batch, length, dim); norm, depthwise, pointwise: weight and bias of each, of shapes (dim,), (dim, 1, width)
    with an odd width, and (dim, dim); seen: uint8, (batch, length, dim or 1), 0 where dropped or padded, else 1.
    """
    result: Tensor = _Unit.apply(x, *norm, *depthwise, *pointwise, seen)  # type: ignore[no-untyped-call]
    return result


class _Unit(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        matrix: Tensor,
        bias: Tensor,
        seen: Tensor | None,
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            rows, seen = x.flatten(0, 1), None if seen is None else seen.flatten(0, 1)
            normal, mean, scale = _normalise(rows, norm_weight, norm_bias, seen)
            mapped = _map(normal.view(x.shape), kernel, kernel_bias, matrix)[1]
        ctx.save_for_backward(x, norm_weight, norm_bias, kernel, kernel_bias, matrix, bias, mean, scale, seen)
        return _add_active(rows, mapped, bias).view(x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, norm_weight, norm_bias, kernel, kernel_bias, matrix, bias, mean, scale, seen = ctx.saved_tensors
        rows, grad = x.flatten(0, 1), grads[0].flatten(0, 1)
        normal = _normalise(rows, norm_weight, norm_bias, seen)[0].view(x.shape)
        mixed, mapped = _map(normal, kernel, kernel_bias, matrix)
        back, grad_bias = _through_active(grad, mapped, bias)
        grad_matrix = matmul_transposed(back, mixed.flatten(0, 1))
        back = matmul(back, matrix.to(x.dtype)).view(x.shape)
        grad_kernel, grad_kernel_bias = _kernel_gradients(normal, back, kernel.shape[-1])
        # The gradient of the input is the same convolution with flipped kernels.
        back = _convolve(back, kernel.flip(-1).to(x.dtype), None).flatten(0, 1)
        grad_x, grad_norm, grad_norm_bias = _normalise_back(back, rows, mean, scale, norm_weight, seen, grad)
        return (
            grad_x.view(x.shape),
            grad_norm,
            grad_norm_bias,
            grad_kernel,
            grad_kernel_bias,
            grad_matrix.to(matrix.dtype),
            grad_bias,
            None,
        )


def _map(normal: Tensor, kernel: Tensor, kernel_bias: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Output of the depthwise convolution, and of the pointwise linear map after it, without the latter's bias."""
    dtype = normal.dtype
    mixed = _convolve(normal, kernel.to(dtype), kernel_bias.to(dtype))
    return mixed, matmul(mixed.flatten(0, 1), matrix.to(dtype).T)


@fused
def _normalise(x: Tensor, weight: Tensor, bias: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm of x, zeroed where not seen; mean and 1/deviation of each row."""
    normal, mean, scale = layer_norm(x, weight, bias)
    return (normal if seen is None else normal * seen), mean, scale


@fused
def _add_active(x: Tensor, mapped: Tensor, bias: Tensor) -> Tensor:
    return (mapped + bias).relu_().add_(x).to(x.dtype)


@fused
def _through_active(grad: Tensor, mapped: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients before the ReLU, and of the bias in float32."""
    back = torch.ops.aten.threshold_backward(grad, mapped + bias.to(mapped.dtype), 0)
    return back, back.float().sum(0)


@fused
def _kernel_gradients(x: Tensor, grad: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Gradients of the kernels (dim, 1, width) and the bias (dim,) of the depthwise convolution, in float32."""
    half, length = width // 2, x.shape[1]
    real = F.pad(x, (0, 0, half, half)).float()
    back = grad.float()
    # Sum each sequence first: a compiled sum over all rows passes over them once for every few features.
    taps = [(real[:, tap : tap + length] * back).sum(1).sum(0) for tap in range(width)]
    return torch.stack(taps, -1)[:, None], back.sum(1).sum(0)


@fused
def _normalise_back(
    back: Tensor, x: Tensor, mean: Tensor, scale: Tensor, weight: Tensor, seen: Tensor | None, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of LayerNorm's input, with the residual's `grad` added, and of its weight and bias."""
    back = back if seen is None else back * seen
    grad_x, grad_weight, grad_bias = layer_norm_back(back, x, mean, scale, weight)
    return grad_x.add_(grad), grad_weight, grad_bias


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Depthwise convolution: (batch, length, dim) -> the same shape.

    As images of height 1 in channels-last layout, sequences take the CPU's fast path without a copy.
    """
    image = x.contiguous().transpose(1, 2)[:, :, None]
    half = weight.shape[-1] // 2
    convolved = F.conv2d(image, weight[:, :, None], bias, padding=(0, half), groups=x.shape[-1])
    return convolved[:, :, 0].transpose(1, 2)
