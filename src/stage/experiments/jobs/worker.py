"""A worker process: trains and scores the run in a folder.

Usage: python -m stage.experiments.jobs.worker FOLDER
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stage.errors import InputError
from stage.experiments.jobs.runs import Result, Run, read_run, write_result
from stage.experiments.systems import SYSTEMS
from stage.terminal import echo

LOCK = "lock"


def train_and_score(run: Run) -> Result:
    """Train, resuming from the last finished epoch, unless the model exists; then score the test questions."""
    from stage.data.layouts import open_questions
    from stage.experiments.jobs.true_span import scores_given_true_spans
    from stage.inference.model_folder import load_model
    from stage.inference.score import evaluate_model
    from stage.training.loop import device_of, train

    minutes: float | None = None
    if not SYSTEMS[run.system].trained:
        model = load_model(run.system)
    elif (run.folder / "model").is_dir():
        model = load_model(run.folder / "model")
    else:
        resumed = (run.folder / "checkpoints").exists()
        start = time.monotonic()
        model, _ = train(run.config)
        minutes = None if resumed else (time.monotonic() - start) / 60
    questions = open_questions(run.test, model.limits)
    model.check_features(questions.source.attributes, questions.name)
    device = device_of(run.config.training)
    given_span = scores_given_true_spans(model, questions, device)
    return Result(
        system=run.system,
        seed=run.config.training.seed,
        test=str(run.test),
        text=questions.text_name,
        scores=evaluate_model(model, questions, device).to_json(),
        scores_given_span=given_span.to_json() if given_span else None,
        minutes=minutes,
    )


def exit_with_parent() -> None:
    """Exit as soon as standard input closes, so that the process doesn't outlive the command that started it."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through Python's buffer, whose lock would still be held at exit
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder. Raises InputError if another process holds it."""
    try:
        descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{folder / LOCK}: can't be used as a lock ({error.strerror}); remove it") from None
    with open(descriptor, "r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is working on this run; wait for it") from None
        yield


def main() -> None:
    folder = Path(sys.argv[1])
    exit_with_parent()
    try:
        with locked(folder):
            write_result(folder, train_and_score(read_run(folder)))
    except InputError as error:
        echo(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
