"""Run several jobs in parallel processes that share the cores."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stage.experiments.jobs.runs import LOG, SCORES, Run, is_finished, prepare
from stage.runtime.hardware import usable_cores
from stage.types import Progress
from stage.wording import counted

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not finish."""

    run: Run
    reason: str


def run_all(runs: Sequence[Run], jobs: int, progress: Progress) -> list[Failure]:
    """Execute runs, `jobs` at a time; returns those that failed, which doesn't stop the others.

    progress: called with the number of runs that have ended, their total, and the state of those that are running.
    When this process ends, for whatever reason, the runs' processes end too; they can be resumed.
    """
    waiting, running, failures = deque(runs), dict[Run, subprocess.Popen[bytes]](), list[Failure]()
    threads = max(1, usable_cores() // jobs)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.popleft()
                if is_finished(run):  # by another command in the meantime
                    continue
                running[run] = _start(run, threads)
            for run in [run for run, process in running.items() if process.poll() is not None]:
                code = running.pop(run).returncode
                if code != 0 or not (run.folder / SCORES).exists():
                    failures.append(Failure(run, _reason(code, run.folder / LOG)))
            progress(len(runs) - len(waiting) - len(running), len(runs), "; ".join(map(_state, running)))
            time.sleep(POLL_SECONDS)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return failures


def _start(run: Run, threads: int) -> subprocess.Popen[bytes]:
    prepare(run)
    with (run.folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "stage.experiments.jobs.worker", str(run.folder)],
            stdin=subprocess.PIPE,  # never written to: its closing tells the worker that this process has ended
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "OMP_NUM_THREADS": str(threads),
                "MKL_NUM_THREADS": str(threads),
                "PYTHONIOENCODING": "utf-8",
            },
            start_new_session=True,
        )


def _reason(code: int, log: Path) -> str:
    if code < 0:
        hint = "; is there enough memory for so many jobs?" if code == -signal.SIGKILL else ""
        return f"was killed by signal {-code}{hint}"
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exited with code {code}"


def _state(run: Run) -> str:
    return f"{run.name}: {_epochs(run.folder)} of {counted(run.config.training.epochs, 'epoch')}"


def _epochs(folder: Path) -> int:
    """The number of finished epochs, from the logs of the run."""
    finished = 0
    for path in folder.glob("logs/*/metrics.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            validated = [int(row["epoch"]) + 1 for row in csv.DictReader(file) if row.get("val/accuracy")]
        finished = max([finished, *validated])
    return finished
