"""Fused element-wise loops, compiled by torch where a C++ compiler is found.

Between two matrix products the model passes over its largest arrays several times, and each pass costs about as much
as a product. A function marked `fused` holds such passes. It is plain arithmetic on tensors, and runs as such until
`compile_ops` has found a C++ compiler; from then on torch compiles each function on its first call, for all sizes,
and caches the result on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from stage.terminal import echo

P = ParamSpec("P")
R = TypeVar("R")

RECOMPILE_LIMIT = 64
"""How often a function may be recompiled, for inputs of other dtypes or with axes of length 1."""

_compile: Callable[[Any], Any] | None = None


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of tensors become one loop. It computes in its inputs' dtypes and without gradients.

    Best given (rows, dim): a compiler generates one loop for each number of axes, and for axes of length 1.
    """
    compiled: Callable[P, R] | None = None

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal compiled
        if _compile is None or torch.compiler.is_compiling():
            return function(*args, **kwargs)
        if compiled is None:
            compiled = _compile(function)
        # Whatever differs between calls without changing what they compute would cause a recompilation.
        plain: Any = [a.detach() if isinstance(a, Tensor) else a for a in args]
        device = next(a.device.type for a in args if isinstance(a, Tensor))
        with torch.no_grad(), torch.autocast(device, enabled=False, cache_enabled=False):
            return compiled(*plain, **kwargs)

    return call


def compile_ops() -> str | None:
    """Compile all fused functions from now on. Returns the reason if this machine can't; then nothing changes."""
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
    """Compile element-wise steps. If this machine can't, warn on standard error: steps take longer then."""
    if reason := compile_ops():
        echo(
            f"element-wise steps are not compiled, so a step takes up to 1.6 times as long: {reason}",
            file=sys.stderr,
        )
