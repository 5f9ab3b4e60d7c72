"""What a training says: progress, a line per epoch, what an interrupted one keeps; and nothing of Lightning's own."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Callback

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
        print(f"{number}: {epoch_in_words(logged)}; {seconds:.0f} s", file=sys.stderr, flush=True)


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
def interruptible(trainer: pl.Trainer, checkpoint: Path, again: str) -> Iterator[None]:
    """Around the fitting of a trainer that saves every epoch: an interrupt says what is kept, and arrives outside.

    checkpoint: that of the last epoch; again: what resumes the run. Lightning would end the process with exit code 1.
    Raises KeyboardInterrupt.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)  # Lightning has left it ignored
        kept = "no epoch was finished, so nothing is kept yet"
        if epochs := finished_epochs(checkpoint):
            kept = f"{counted(epochs, 'finished epoch')} kept in {checkpoint.parent}; to resume, run {again} again"
        print(f"training was interrupted: {kept}", file=sys.stderr, flush=True)
        raise KeyboardInterrupt from None
