"""Runs end with the command that started them, whatever ends it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from samples.places import ROOT
from samples.runs import runs_of
from stage.errors import InputError
from stage.experiments.jobs.worker import LOCK, locked

MANY_EPOCHS = ("training.epochs=100000", "training.patience=100000")
RUN_ALL = f"""
import sys
from pathlib import Path
from samples.runs import runs_of
from stage.experiments.jobs.scheduler import run_all
run_all(runs_of(Path(sys.argv[1]), Path(sys.argv[2]), "stage", settings={MANY_EPOCHS}), 1, print)
"""


@pytest.mark.slow
def test_a_run_ends_when_its_command_is_killed(random_data: Path, tmp_path: Path) -> None:
    (run,) = runs_of(random_data, tmp_path, "stage", settings=MANY_EPOCHS)
    command = [sys.executable, "-c", RUN_ALL, random_data, tmp_path]
    process = subprocess.Popen(command, cwd=ROOT / "tests", stdout=subprocess.DEVNULL)
    try:
        wait_until(50, lambda: (run.folder / LOCK).exists() and is_held(run.folder))
    finally:
        process.kill()
    process.wait(20)
    wait_until(5, lambda: not is_held(run.folder))


def wait_until(seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_held(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except InputError:
        return True
