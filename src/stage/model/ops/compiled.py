"""Element-wise steps that a compiler makes one loop of.

Between two matrix products the model passes over its largest arrays several times, and each pass costs about as much
as a product. A function marked `fused` holds such passes. It is plain arithmetic on tensors, and runs as that until
`compile_ops` has found a C++ compiler; from then on torch compiles each at its first use, for all sizes, and keeps
what it compiled on the disk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

RECOMPILE_LIMIT = 64
"""How often a function may be compiled anew, for numbers of other kinds or axes of length 1."""

_compile: Callable[[Any], Any] | None = None


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of tensors become one loop. It is computed in its inputs' numbers and without gradients.

    Best given (rows, dim): a compiler makes a loop of its own for each number of axes, and for axes of length 1.
    """
    compiled: Callable[P, R] | None = None

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal compiled
        if _compile is None or torch.compiler.is_compiling():
            return function(*args, **kwargs)
        if compiled is None:
            compiled = _compile(function)
        # What differs between calls but not in what they compute would have it compiled again.
        plain: Any = [a.detach() if isinstance(a, Tensor) else a for a in args]
        device = next(a.device.type for a in args if isinstance(a, Tensor))
        with torch.no_grad(), torch.autocast(device, enabled=False, cache_enabled=False):
            return compiled(*plain, **kwargs)

    return call


def compile_ops() -> str | None:
    """Compile all fused functions from now on. Gives the reason if this machine can't; then nothing changes."""
    global _compile
    if _compile is None:
        import torch._dynamo
        from torch._inductor.exc import InductorError

        torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT

        def compiled(function: Callable[P, R]) -> Callable[P, R]:
            return torch.compile(function, dynamic=True)

        try:
            compiled(torch.relu)(torch.zeros(2, 2))
        except (InductorError, torch._dynamo.exc.TorchDynamoException, OSError) as error:
            return str(error).strip().splitlines()[0]
        _compile = compiled
    return None


def compile_or_warn() -> None:
    """Compile element-wise steps; if there is nothing to do it with, say so, since it takes longer then."""
    if reason := compile_ops():
        print(
            f"element-wise steps are not compiled, so a step takes up to 1.6 times as long: {reason}",
            file=sys.stderr,
        )


EPSILON = 1e-5
"""LayerNorm's."""


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm over the last axis; also mean and 1/deviation of each row. For use within fused functions.

    Written out for the compiler, whose own rendering takes twice as long.
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
    """Gradients of the same: of x, and of weight and bias in float32."""
    if not torch.compiler.is_compiling():
        inputs = _like_weights(grad), _like_weights(x), x.shape[-1:], mean, scale, weight, weight
        of_x, of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(*inputs, [True, True, True])
        return of_x.to(x.dtype), of_weight, of_bias
    rows = tuple(range(x.dim() - 1))
    real, normal = grad.float(), (x.float() - mean) * scale
    inner = real * weight
    along = (inner * normal).mean(-1, keepdim=True)
    of_x = (inner - inner.mean(-1, keepdim=True) - normal * along) * scale
    return of_x.to(x.dtype), (real * normal).sum(rows), real.sum(rows)


def _like_weights(x: Tensor) -> Tensor:
    """In the weights' float32, on a device whose LayerNorm doesn't take bfloat16 beside them as a CPU's does."""
    return x if x.device.type == "cpu" else x.float()
