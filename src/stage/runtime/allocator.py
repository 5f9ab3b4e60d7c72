"""Keeping memory between steps and batches.

glibc gives every large tensor back to the kernel as soon as it is freed; taking it again costs a page fault for
each 4 KB, which is as much time as the arithmetic. Asking it to keep what was freed halves the time of a step.

oneDNN keeps the kernels that it made, half a megabyte each, a thousand of them. Of most shapes in an epoch few come
again soon.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ONE_GB = 1 << 30
HALF_A_HEAP = 32 << 20
KERNELS_KEPT = 200
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for this process, and oneDNN fewer kernels than it does by itself.

    To be called before anything is computed. Does nothing where it is not glibc.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS_KEPT))
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        if not mallopt(M_MMAP_THRESHOLD, ONE_GB):  # older ones refuse more than half of a thread's heap
            mallopt(M_MMAP_THRESHOLD, HALF_A_HEAP)
        mallopt(M_TRIM_THRESHOLD, 2 * ONE_GB - 1)


def return_freed_memory() -> None:
    """Return what is kept and not in use. Between two kinds of work, since each leaves holes of sizes of its own."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage also counts the process that this one was forked from
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_OF_MAXRSS
