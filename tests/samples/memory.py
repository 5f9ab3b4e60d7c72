"""A process with little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def little_memory(more: int = 2**30) -> Iterator[None]:
    """Address space for the block: what the process has, and `more` bytes. More than that is a MemoryError."""
    resource = pytest.importorskip("resource", reason="limits of memory are those of Unix")
    taken = Path("/proc/self/statm")
    if not taken.is_file():
        pytest.skip("only Linux says how much address space a process has")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(taken.read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
