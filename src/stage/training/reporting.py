"""What a training says: progress, a line per epoch, what an interrupted one keeps; and nothing of Lightning's own."""

from __future__ import annotations

import errno
import logging
import math
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytorch_lightning as pl
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Callback

from stage.errors import InputError
from stage.terminal import echo
from stage.training.resuming import finished_epochs
from stage.types import Progress
from stage.wording import counted

SHARES = {
    "train/accuracy": "accuracy",
    "val/accuracy": "QA Acc.",
    "val/miou": "Temp. mIoU",
    "val/asa": "ASA",
    "val/map": "Grd. mAP",
}
"""Shares that are logged, and their names in the line of an epoch."""

TERMINATED = 128 + signal.SIGTERM
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a disk without space, or without space for this user or file."""


class EpochReport(Callback):
    """Reports every step to `progress`, and prints a line for every epoch to standard error."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        steps, epochs = int(trainer.num_training_batches), int(trainer.max_epochs or 0)
        done = trainer.current_epoch * steps + batch_idx + 1
        self.progress(done, epochs * steps, f"epoch {trainer.current_epoch + 1} of {epochs}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = time.monotonic() - self.started
        number = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        echo(f"{number}: {epoch_in_words(logged)}; {seconds:.0f} s", file=sys.stderr)


def epoch_in_words(logged: Mapping[str, float]) -> str:
    """The loss and the scores of an epoch in one line; of shares, those that are known. logged: by name"""
    parts = []
    for where in ("train", "val"):
        shares = [
            f"{words} {100 * logged[name]:.2f} %"
            for name, words in SHARES.items()
            if name.startswith(where) and math.isfinite(logged.get(name, math.nan))
        ]
        if (loss := f"{where}/loss") in logged:
            shares.insert(0, f"loss {logged[loss]:.4f}")
        if shares:
            parts.append(("validation: " if where == "val" else "") + ", ".join(shares))
    return "; ".join(parts)


@contextmanager
def without_advice() -> Iterator[None]:
    """Silences what Lightning prints about itself while trainers are made and used; errors are raised anyway."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def interruptible(checkpoint: Path, again: str) -> Iterator[None]:
    """Around the fitting of a trainer that saves every epoch: what ends it says what is kept, and arrives outside.

    checkpoint: that of the last epoch; again: what resumes the run. Lightning would end the process with exit code 1
    after an interrupt, and with 0 after a SIGTERM, which ends it with 143 here unless the program handles it.
    Raises KeyboardInterrupt, and InputError if the disk is full.
    """
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with _terminable(), _full_disk_reported_once():
            yield
    except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
        ends = _what_ends(error)
        if ends is None:
            raise
        signal.signal(signal.SIGINT, interrupt)  # Lightning has left it ignored
        echo(f"training was interrupted: {_kept(checkpoint, again)}", file=sys.stderr)
        raise ends from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        reason = f"{checkpoint.parent.parent}: can't be written ({error.strerror})"
        raise InputError(f"{reason}; {_kept(checkpoint, again)}") from None


@contextmanager
def _full_disk_reported_once() -> Iterator[None]:
    """TensorBoard writes in a thread, whose error would be printed before it is raised in the one that trains."""
    before = threading.excepthook

    def report(failure: threading.ExceptHookArgs) -> None:
        if not (isinstance(failure.exc_value, OSError) and failure.exc_value.errno in FULL):
            before(failure)

    threading.excepthook = report
    try:
        yield
    finally:
        threading.excepthook = before


def _what_ends(error: BaseException) -> BaseException | None:
    """The interruption that an error comes from; None if it is another error.

    Lightning turns it into another, and so does PyTorch if loading processes got the signal too, and are missed.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return KeyboardInterrupt()
        if isinstance(cause, SystemExit) and cause.code == TERMINATED:
            return SystemExit(TERMINATED)
        cause = cause.__context__
    return None


def _kept(checkpoint: Path, again: str) -> str:
    if epochs := finished_epochs(checkpoint):
        return (
            f"{counted(epochs, 'finished epoch')} kept in {checkpoint.parent}; to resume, run {again} again"
        )
    return "no epoch was finished, so nothing is kept yet"


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the process with its exit code, also in Lightning, which calls handlers that it finds."""
    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)
