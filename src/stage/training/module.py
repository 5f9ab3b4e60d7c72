"""What is computed in training: a step's losses, the scores of an epoch, optimiser and learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from stage.annotation.predictions import PredictionTable, join_tables, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.data.batch import Batch
from stage.data.examples import Example
from stage.errors import InputError
from stage.inference.predict import make_predictions
from stage.inference.score import scores_of
from stage.metrics import Scores
from stage.model.baselines.baseline import Baseline
from stage.model.build import VideoQASystem, training_losses
from stage.model.losses import LossWeights
from stage.runtime.allocator import return_freed_memory
from stage.training.checkpoints import MONITORED
from stage.training.config import TrainingConfig
from stage.training.lr_schedules import warmup_cosine
from stage.types import Question

LOG_EVERY = 10
"""Steps between two entries of the logs."""
Validation = tuple[Batch, list[Example]]


class TrainingModule(pl.LightningModule):
    """A training step computes all losses of its questions; validation computes the paper's metrics."""

    def __init__(
        self,
        model: VideoQASystem,
        config: TrainingConfig,
        steps_per_epoch: int,
        questions: Sequence[Question],
        concepts: set[str],
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.questions = questions
        self.concepts = concepts
        self.weights = LossWeights(config.span_weight, config.attention_weight)
        self.vocabulary = build_vocabulary(questions)
        self.tables: list[PredictionTable] = []
        self.losses_are_finite: Tensor | None = None
        self.has_begun = False

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises InputError if its weights are of another model."""
        own, found = self.state_dict(), checkpoint["state_dict"]
        if {name: (t.shape, t.dtype) for name, t in found.items()} != {
            n: (t.shape, t.dtype) for n, t in own.items()
        }:
            raise InputError(
                "the run's last checkpoint is of another model; choose another output, or start over with --no-resume"
            )

    def training_step(self, parts: list[Batch], _: int) -> Tensor:
        """parts: the questions of a step, divided into micro-batches."""
        losses, logits = training_losses(self.model, parts, self.weights)
        finite = losses.total.detach().isfinite()
        self.losses_are_finite = finite if self.losses_are_finite is None else finite & self.losses_are_finite
        answers = [part.targets.answer for part in parts if part.targets is not None]
        right = (logits.argmax(-1) == torch.cat(answers)).float().mean()
        size = len(logits)
        self.log("train/answer", losses.answer.detach() / size, batch_size=size)
        self.log("train/span", losses.span.detach() / size, batch_size=size)
        self.log("train/attention", losses.attention.detach() / size, batch_size=size)
        self.log("train/loss", losses.total.detach() / size, batch_size=size, on_step=False, on_epoch=True)
        self.log("train/accuracy", right, batch_size=size, on_step=False, on_epoch=True)
        return losses.total

    def on_train_start(self) -> None:
        self.has_begun = True

    def on_train_batch_end(self, outputs: Any, parts: list[Batch], step: int) -> None:
        if isinstance(self.model, Baseline):
            self.model.after_step(sum(map(len, parts)))
        if step % LOG_EVERY == 0:  # seldom, since a GPU has to be waited for
            self.check_losses()

    def check_losses(self) -> None:
        """Raises InputError if a loss was not finite: from then on all weights are NaN."""
        if self.losses_are_finite is not None and not bool(self.losses_are_finite):
            self._stop("the loss")

    def check_weights(self) -> None:
        """Raises InputError if a weight is not finite: the gradients of a finite loss can be NaN."""
        if not all(bool(weights.isfinite().all()) for weights in self.model.parameters()):
            self._stop("a weight")

    def _stop(self, what: str) -> NoReturn:
        raise InputError(
            f"{what} became infinite or NaN in epoch {self.current_epoch + 1}, so training was stopped; epochs "
            "before are kept. Are there NaN in the features, or is training.learning_rate too high?"
        )

    def validation_step(self, loaded: Validation, _: int) -> None:
        batch, examples = loaded
        predictions = make_predictions(self.model.answer(batch), examples, self.concepts, for_scores=True)
        self.tables.append(tabulate_predictions(predictions, self.vocabulary))

    def on_validation_epoch_start(self) -> None:
        self.check_losses()  # before the epoch is saved
        self.check_weights()
        return_freed_memory()

    def on_validation_epoch_end(self) -> None:
        scores = self.scores()
        self.tables = []
        return_freed_memory()
        logged = {
            MONITORED: scores.qa_accuracy,
            "val/miou": scores.temporal_miou,
            "val/asa": scores.answer_span_accuracy,
            "val/map": scores.grounding_map,
        }
        for name, value in logged.items():
            self.log(name, math.nan if value is None else value)
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau) and scores.qa_accuracy is not None:
            schedule.step(scores.qa_accuracy)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Skips plateau schedules: Lightning would step them after the epoch's checkpoint, which would miss it."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def scores(self) -> Scores:
        return scores_of(join_tables(self.tables), self.questions, self.model.config)

    def transfer_batch_to_device(
        self, loaded: list[Batch] | Validation, device: torch.device, _: int
    ) -> list[Batch] | Validation:
        if isinstance(loaded, list):
            return [part.to(device) for part in loaded]
        batch, examples = loaded
        return batch.to(device), examples

    def configure_optimizers(self) -> Any:
        c = self.config
        optimizer = torch.optim.Adam(self.model.parameters(), lr=c.learning_rate, weight_decay=c.weight_decay)
        if c.schedule == "cosine":
            schedule = warmup_cosine(optimizer, c.epochs * self.steps_per_epoch, rise=0.15)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
        plateau = ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=c.plateau_checks)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": MONITORED}}
