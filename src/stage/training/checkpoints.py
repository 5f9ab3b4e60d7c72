"""What Lightning keeps of a run that may be gone on with: elsewhere, with other patience, or after its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from stage.training.resuming import LAST

BEST = "best"
MONITORED = "val/accuracy"


class BestEpoch(ModelCheckpoint):
    """Keeps the epoch of the best validation accuracy. A run whose folder was moved still knows which it was."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename=BEST, monitor=MONITORED, mode="max", enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        here = {
            name: self._here(value) if name.endswith("_path") else value for name, value in state_dict.items()
        }
        best = {self._here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**here, "dirpath": self.dirpath, "best_k_models": best})

    def _here(self, path: str) -> str:
        return str(Path(str(self.dirpath)) / Path(path).name) if path else path


class EveryEpoch(ModelCheckpoint):
    """Keeps the last epoch. Not `save_last` of the other, which writes nothing after an epoch that was no better."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename=LAST, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """There is nothing to know."""


class Patience(EarlyStopping):
    """Stops when validation accuracy gets no better. The patience of now counts; a run that it ended stays ended."""

    def __init__(self, epochs: int) -> None:
        super().__init__(MONITORED, mode="max", patience=epochs, check_finite=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience
