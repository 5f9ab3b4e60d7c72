"""The convolution unit of the encoders as one operation, which remembers little for its gradient.

The maps are as large as all words of all frames, and memory is what a step takes most of: from its input and the
activity of its ReLU everything else is found again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function

EPSILON = 1e-5
"""LayerNorm's."""


def convolution_unit(
    x: Tensor,
    norm: tuple[Tensor, Tensor],
    depthwise: tuple[Tensor, Tensor],
    pointwise: tuple[Tensor, Tensor],
    seen: Tensor | None,
) -> Tensor:
    """x + ReLU(pointwise(depthwise(seen * LayerNorm(x)))), zeros beyond both ends of a sequence.

    x: (batch, length, dim); norm, depthwise, pointwise: weight and bias of each, of shapes (dim,), (dim, 1, width)
    with an odd width, and (dim, dim); seen: what to leave out, bool, (batch, length, dim or 1).
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
            normal, mean, deviation = torch.native_layer_norm(
                x, x.shape[-1:], norm_weight, norm_bias, EPSILON
            )
            mixed = _convolve(_leave_out(normal, seen), kernel.to(x.dtype), kernel_bias.to(x.dtype))
            y = F.linear(mixed, matrix.to(x.dtype), bias.to(x.dtype)).relu_()
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(
                x, norm_weight, norm_bias, kernel, kernel_bias, matrix, mean, deviation, y > 0, seen
            )
        return y.add_(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, norm_weight, norm_bias, kernel, kernel_bias, matrix, mean, deviation, active, seen = (
            ctx.saved_tensors
        )
        normal = torch.native_layer_norm(x, x.shape[-1:], norm_weight, norm_bias, EPSILON)[0]
        normal = _leave_out(normal, seen)
        mixed = _convolve(normal, kernel.to(x.dtype), kernel_bias.to(x.dtype))
        grad = grads[0].contiguous()
        back = grad * active
        flat = back.flatten(0, 1)
        grad_matrix, grad_bias = flat.T @ mixed.flatten(0, 1), flat.sum(0, dtype=matrix.dtype)
        back = back @ matrix.to(x.dtype)
        grad_kernel = _kernel_gradient(normal, back, kernel)
        grad_kernel_bias = back.sum((0, 1), dtype=kernel.dtype)
        # The gradient of the input is the same convolution with kernels turned round.
        back = _leave_out(_convolve(back, kernel.flip(-1).to(x.dtype), None), seen)
        grad_x, grad_norm, grad_norm_bias = torch.ops.aten.native_layer_norm_backward(
            back, x, x.shape[-1:], mean, deviation, norm_weight, norm_bias, [True, True, True]
        )
        return (
            grad_x.add_(grad),
            grad_norm,
            grad_norm_bias,
            grad_kernel,
            grad_kernel_bias,
            grad_matrix.to(matrix.dtype),
            grad_bias,
            None,
        )


def _leave_out(x: Tensor, seen: Tensor | None) -> Tensor:
    """In place."""
    return x if seen is None else x.mul_(seen)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Each channel with its own kernel: (batch, length, dim) -> the same.

    Seen as images of height 1 whose channels lie together, sequences take the CPU's fast path uncopied.
    """
    image = x.contiguous().transpose(1, 2)[:, :, None]
    half = weight.shape[-1] // 2
    convolved = F.conv2d(image, weight[:, :, None], bias, padding=(0, half), groups=x.shape[-1])
    return convolved[:, :, 0].transpose(1, 2)


def _kernel_gradient(x: Tensor, grad: Tensor, weight: Tensor) -> Tensor:
    """Of the convolution of x: (dim, 1, width)."""
    gradient = torch.zeros_like(weight)
    half, length = weight.shape[-1] // 2, x.shape[1]
    for i in range(weight.shape[-1]):
        first, last = max(0, half - i), min(length, length + half - i)
        if first < last:
            seen = x[:, first + i - half : last + i - half]
            gradient[:, 0, i] = (seen * grad[:, first:last]).sum((0, 1), dtype=weight.dtype)
    return gradient
