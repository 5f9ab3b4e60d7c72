"""Lightning callbacks: checkpoints and early stopping that survive resuming.

A resumed run may have been moved, may have another patience, or may be longer than before. The names of the classes
are part of the checkpoints: Lightning stores the state of a callback under them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from stage.training.resuming import BEST_EPOCH, LAST_EPOCH, RECORD

MONITORED = "val/accuracy"


class BestEpoch(ModelCheckpoint):
    """Keeps the epoch with the best validation accuracy, also if the run's folder is moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, filename=BEST_EPOCH, monitor=MONITORED, mode="max", enable_version_counter=False
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = {
            name: self._moved(value) if name.endswith("_path") else value
            for name, value in state_dict.items()
        }
        best = {self._moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state, "dirpath": self.dirpath, "best_k_models": best})

    def _moved(self, path: str) -> str:
        """The path of a checkpoint in the present folder."""
        return str(Path(str(self.dirpath)) / Path(path).name) if path else path


class EveryEpoch(ModelCheckpoint):
    """Saves each epoch over the one before. (ModelCheckpoint's `save_last` skips epochs that are no better.)"""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename=LAST_EPOCH, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """It has no state to restore."""


class Record(Callback):
    """Stores what a run needs besides weights, and what it can be compared with, in every checkpoint."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """content: tensors, texts and numbers in dictionaries, which load without running code."""
        self.content = content

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[RECORD] = self.content


class Patience(EarlyStopping):
    """Early stopping on validation accuracy. A resumed run has its current setting, and stays stopped if it was."""

    def __init__(self, epochs: int) -> None:
        super().__init__(MONITORED, mode="max", patience=epochs, check_finite=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience
