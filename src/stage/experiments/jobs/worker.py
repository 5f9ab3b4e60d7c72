"""A run in a process of its own: `python -m stage.experiments.jobs.worker FOLDER`."""

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

LOCK = "lock"


def perform(run: Run) -> Result:
    """Train unless the model is there, going on from the last finished epoch; score the test questions."""
    from stage.data.layouts import open_questions
    from stage.experiments.jobs.true_span import scores_given_true_spans
    from stage.inference.model_folder import load_model
    from stage.inference.score import evaluate_model
    from stage.training.loop import device_of, train

    minutes: float | None = None
    if not SYSTEMS[run.system].trained:
        trained = load_model(run.system)
    elif (run.folder / "model").is_dir():
        trained = load_model(run.folder / "model")
    else:
        in_one_go = not (run.folder / "checkpoints").exists()
        began = time.monotonic()
        trained, _ = train(run.config, progress=False)
        minutes = (time.monotonic() - began) / 60 if in_one_go else None
    questions = open_questions(run.test, trained.limits)
    trained.check_features(questions.source.attributes, questions.name)
    device = device_of(run.config.training)
    given = scores_given_true_spans(trained, questions, device)
    return Result(
        system=run.system,
        seed=run.config.training.seed,
        test=str(run.test),
        text=questions.text_name,
        scores=evaluate_model(trained, questions, device).to_json(),
        scores_given_span=given.to_json() if given else None,
        minutes=minutes,
    )


def end_with_parent() -> None:
    """Leave as soon as standard input closes: a process that nobody waits for must not train on."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through Python's buffer, whose lock would be held at the end
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Raises InputError if another process is at work in the folder."""
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is at this run; wait for it") from None
        yield


def main() -> None:
    folder = Path(sys.argv[1])
    end_with_parent()
    try:
        with alone_in(folder):
            write_result(folder, perform(read_run(folder)))
    except InputError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
