"""Memory is kept between steps, and returned between two kinds of work."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
from stage.runtime.allocator import return_freed_memory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 // 10**6

keep_freed_memory()
before = resident()
arrays = [np.ones(10**6, np.uint8) for _ in range(400)]
held = arrays[::20]  # so that what is freed lies between what is in use
del arrays
kept = resident()
return_freed_memory()
print(kept - before, kept - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_kept_between_steps_can_be_returned() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    kept, given_back = map(int, done.stdout.split())
    assert kept > 350
    assert given_back > 300
