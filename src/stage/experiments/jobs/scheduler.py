"""Runs side by side in processes, each with its share of the cores."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stage.experiments.jobs.runs import LOG, SCORES, Run, begin, is_finished
from stage.runtime.hardware import usable_cores

LOOKS_A_SECOND = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not finish."""

    run: Run
    reason: str


Report = Callable[[int, str], None]
"""Told how many runs have ended, and what is running."""


def perform_all(runs: Sequence[Run], jobs: int, report: Report) -> list[Failure]:
    """Perform runs, `jobs` at a time. A run that fails is told of, and the others go on.

    When this process ends, however it ends, the runs' processes end too; they can be gone on with.
    """
    waiting, running, failures = deque(runs), dict[Run, subprocess.Popen[bytes]](), list[Failure]()
    threads = max(1, usable_cores() // jobs)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.popleft()
                if is_finished(run):  # by another command meanwhile
                    continue
                running[run] = _start(run, threads)
            for run in [run for run, process in running.items() if process.poll() is not None]:
                code = running.pop(run).returncode
                if code != 0 or not (run.folder / SCORES).exists():
                    failures.append(Failure(run, _reason(code, run.folder / LOG)))
            report(len(runs) - len(waiting) - len(running), "; ".join(map(_state, running)))
            time.sleep(1 / LOOKS_A_SECOND)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return failures


def _start(run: Run, threads: int) -> subprocess.Popen[bytes]:
    begin(run)
    with (run.folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "stage.experiments.jobs.worker", str(run.folder)],
            stdin=subprocess.PIPE,  # never written to: it closes when this process ends
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
            start_new_session=True,
        )


def _reason(code: int, log: Path) -> str:
    if code < 0:
        hint = "; is there enough memory for so many jobs?" if code == -signal.SIGKILL else ""
        return f"was stopped by signal {-code}{hint}"
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return said[-1] if said else f"ended with code {code}"


def _state(run: Run) -> str:
    return f"{run.name}: {_epochs(run.folder)} of {run.config.training.epochs} epochs"


def _epochs(folder: Path) -> int:
    """How many epochs are finished, by the logs of the run."""
    finished = 0
    for path in folder.glob("logs/*/metrics.csv"):
        with path.open(newline="") as file:
            checks = [int(row["epoch"]) + 1 for row in csv.DictReader(file) if row.get("val/accuracy")]
        finished = max([finished, *checks])
    return finished
