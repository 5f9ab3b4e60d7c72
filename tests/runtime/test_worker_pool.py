"""Workers end with the process that started them, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from samples.places import ROOT
from samples.workers import vanish, write_for
from stage.errors import InputError
from stage.runtime.worker_pool import GRACE_SECONDS, WorkerPool

RUN = "import sys; from pathlib import Path; from samples.workers import keep_busy; keep_busy(Path(sys.argv[1]), {})"


def start(folder: Path, work: str) -> subprocess.Popen[bytes]:
    """A process with workers; its standard error stays open as long as one of them lives."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(work), folder], cwd=ROOT / "tests", stderr=subprocess.PIPE
    )


def wait_for(folder: Path, pattern: str, count: int) -> None:
    deadline = time.monotonic() + 50
    while len([*folder.glob(pattern)]) < count:
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("state", ["working", "idle", "held"])
def test_workers_end_with_their_parent_and_remove_their_files(
    number: signal.Signals, state: str, tmp_path: Path
) -> None:
    process = start(tmp_path, {"working": "50", "idle": "0", "held": "50, True"}[state])
    wait_for(tmp_path, "*.txt" if state == "idle" else ".*.partial", 2)
    process.send_signal(number)
    process.wait(50)
    before = time.monotonic()
    process.communicate(timeout=50)
    assert time.monotonic() - before < GRACE_SECONDS + 2
    if state == "working":
        assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed_while_it_starts_them(tmp_path: Path) -> None:
    rng = Random(28)
    for _ in range(4):
        process = start(tmp_path, "50")
        time.sleep(rng.uniform(0.1, 0.8))
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_of_one_line_and_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a worker process was killed; is there enough memory"):
        lose_a_worker(tmp_path)
    assert os.listdir(tmp_path) == ["begun"]


def lose_a_worker(folder: Path) -> None:
    with WorkerPool(2) as pool:
        pool.submit(write_for, folder / "other.txt", 50)
        wait_for(folder, ".*.partial", 1)
        pool.submit(vanish, folder / "begun")
        pool.submit(time.sleep, 0).result()
