"""What worker processes do in tests."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stage.io import writing_file
from stage.runtime.worker_pool import WorkerPool


def keep_busy(folder: Path, seconds: float, held: bool = False) -> None:
    """Two workers, each writing a file for so long. held: they don't notice that they are to end."""
    with WorkerPool(2) as pool:
        for number in range(2):
            pool.submit(write_for, folder / f"{number}.txt", seconds, held)
        time.sleep(60)


def write_for(path: Path, seconds: float, held: bool = False) -> None:
    with writing_file(path) as partial:
        partial.write_text("half of it")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                time.sleep(end - time.monotonic())
            except SystemExit:
                if not held:
                    raise


def vanish(path: Path) -> None:
    """As the kernel ends a process when memory is short."""
    path.touch()
    os._exit(9)
