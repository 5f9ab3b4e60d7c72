"""Memory allocation: keep freed memory in the process, bound oneDNN's cache.

By default glibc returns the memory of every large tensor to the operating system when it is freed. Allocating it
again costs a page fault per 4 KB, which takes as much time as the arithmetic: keeping freed memory halves the time
of a step.

oneDNN caches up to a thousand compiled kernels of half a megabyte each. Few of the shapes of an epoch recur soon, so
a smaller cache loses nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ONE_GB = 1 << 30
HALF_A_HEAP = 32 << 20
CACHED_KERNELS = 200
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes."""


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for this process, and oneDNN cache fewer kernels.

    To be called before anything is computed. With another C library, only the latter has an effect.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(CACHED_KERNELS))
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        if not mallopt(M_MMAP_THRESHOLD, ONE_GB):  # older versions refuse more than half of a thread's heap
            mallopt(M_MMAP_THRESHOLD, HALF_A_HEAP)
        mallopt(M_TRIM_THRESHOLD, 2 * ONE_GB - 1)


def return_freed_memory() -> None:
    """Return unused memory to the operating system: between training and validation, whose tensor sizes differ."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_memory() -> int:
    """The peak resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would include the process that this one was forked from
        line = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
