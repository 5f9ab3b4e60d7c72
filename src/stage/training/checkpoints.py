"""Lightning callbacks: checkpoints, random draws and early stopping that survive resuming.

A resumed run may have been moved, may have another patience, or may be longer than before. The names of the classes
are part of the checkpoints: Lightning stores the state of a callback under them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from stage.io import writing_file
from stage.training.resuming import BEST_EPOCH, LAST_EPOCH, PREVIOUS_EPOCH, RECORD

MONITORED = "val/accuracy"
DRAWS = "draws"
"""Key of a checkpoint under which the states of random generators are kept."""


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all; the last epoch's replaces the one before only when it is complete.

    Lightning writes them in the system's temporary folder and, if that is on another file system, copies them.
    """

    def __init__(self, folder: Path) -> None:
        """folder: of all checkpoints, as errors are to name it."""
        self.folder = folder

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        content = BytesIO()  # torch reports a full disk in words of its own
        torch.save(checkpoint, content)
        target = self.folder / Path(path).name
        with writing_file(target) as partial:
            partial.write_bytes(content.getbuffer())
            if target.stem == LAST_EPOCH:
                with suppress(FileNotFoundError):  # this is the first epoch
                    os.replace(target, target.with_stem(PREVIOUS_EPOCH))


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


class Draws(Callback):
    """Keeps the states of the random generators: a resumed run draws what an undisturbed one would, bit for bit.

    They are those of the process that trains, which nothing but PyTorch's draws from. Nothing is drawn between the
    end of an epoch, when it is saved, and the start of the next one.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        """loader: of the training batches; it may have a generator of its own."""
        self.loader = loader
        own = loader.generator
        self.generators = [torch.default_generator] if own is None else [torch.default_generator, own]
        self.saved: Mapping[str, Any] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        states = {"cpu": [generator.get_state() for generator in self.generators]}
        if pl_module.device.type == "cuda":
            states["cuda"] = [torch.cuda.get_rng_state(pl_module.device)]
        checkpoint[DRAWS] = states

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.saved = checkpoint.get(DRAWS, {})  # not in runs of earlier versions

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the loader's iterator is made, which draws a number, as it does in every epoch of the others."""
        self._restore(pl_module.device)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.loader.persistent_workers:  # an undisturbed run has made its iterator in the first epoch
            self._restore(pl_module.device)
        self.saved = {}

    def _restore(self, device: torch.device) -> None:
        for generator, state in zip(self.generators, self.saved.get("cpu", ()), strict=False):
            generator.set_state(state)
        if device.type == "cuda":
            for state in self.saved.get("cuda", ()):
                torch.cuda.set_rng_state(state, device)


class Patience(EarlyStopping):
    """Early stopping on validation accuracy. A resumed run has its current setting, and stays stopped if it was."""

    def __init__(self, epochs: int) -> None:
        super().__init__(MONITORED, mode="max", patience=epochs, check_finite=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience
