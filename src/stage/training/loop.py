"""The training loop of STAGE and the baselines, on pytorch-lightning."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader

from stage.annotation.predictions import PredictionTable, join_tables, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.data.batch import Batch
from stage.data.examples import Example, collate
from stage.data.layouts import open_questions
from stage.data.loading import ExampleDataset, LengthBucketSampler, inference_loader
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.regions.visual_concepts import LabelFeatures
from stage.inference.model_folder import FeatureRecipe, TrainedModel, check_replaceable, save_model
from stage.inference.predict import make_predictions
from stage.inference.score import evaluate_model, scores_of
from stage.metrics import Scores
from stage.model.build import VideoQASystem, build_model, training_losses
from stage.model.config import StageConfig
from stage.model.losses import LossWeights
from stage.model.ops.compiled import compile_or_warn
from stage.runtime.allocator import keep_freed_memory, return_freed_memory
from stage.runtime.hardware import best_device, bfloat16_is_fast
from stage.training.checkpoints import MONITORED, BestEpoch, EveryEpoch, Patience
from stage.training.config import RunConfig, TrainingConfig, settings_of
from stage.training.lr_schedules import warmup_cosine
from stage.training.resuming import CHECKPOINTS, finished_epochs, open_run
from stage.types import Question

MODEL = "model"
CHANGEABLE_ON_RESUME = frozenset(
    {"output", "data.workers"} | {f"training.{key}" for key in ("device", "compile", "at_once", "patience")}
)
"""Settings that may differ when a run is resumed."""
LOG_EVERY = 10
"""Steps between two entries of the logs."""
WORTH_COMPILING = 5_000
"""Questions times epochs from which compiling pays off; it takes as long as a few thousand questions."""


class TrainingModule(pl.LightningModule):
    """A training step computes all losses of a batch; validation computes the paper's metrics."""

    def __init__(
        self,
        model: VideoQASystem,
        config: TrainingConfig,
        steps_per_epoch: int,
        questions: list[Question],
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

    def training_step(self, batch: Batch, _: int) -> Tensor:
        losses, logits = training_losses(self.model, batch, self.weights)
        assert batch.targets is not None
        finite = losses.total.detach().isfinite()
        self.losses_are_finite = finite if self.losses_are_finite is None else finite & self.losses_are_finite
        right = (logits.detach().argmax(-1) == batch.targets.answer).float().mean()
        size = len(batch)
        self.log("train/answer", losses.answer.detach() / size, batch_size=size)
        self.log("train/span", losses.span.detach() / size, batch_size=size)
        self.log("train/attention", losses.attention.detach() / size, batch_size=size)
        self.log("train/accuracy", right, batch_size=size, prog_bar=True, on_step=False, on_epoch=True)
        # Lightning takes the mean over a step's micro-batches, but losses are sums.
        return losses.total * self.config.micro_batches

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_number: int) -> None:
        if batch_number % LOG_EVERY == 0:  # seldom, since a GPU has to be waited for
            self.check_losses()

    def check_losses(self) -> None:
        """Raises InputError if a loss was not finite: from then on all weights are NaN."""
        if self.losses_are_finite is not None and not bool(self.losses_are_finite):
            raise InputError(
                f"the loss became infinite or NaN in epoch {self.current_epoch + 1}, so training was stopped; epochs "
                "before are kept. Are there NaN in the features, or is training.learning_rate too high?"
            )

    def validation_step(self, loaded: tuple[Batch, list[Example]], _: int) -> None:
        batch, examples = loaded
        predictions = make_predictions(self.model.answer(batch), examples, self.concepts, for_scores=True)
        self.tables.append(tabulate_predictions(predictions, self.vocabulary))

    def on_validation_epoch_start(self) -> None:
        self.check_losses()  # before the epoch is saved
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
            self.log(name, math.nan if value is None else value, prog_bar=True)
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
        self, loaded: Batch | tuple[Batch, list[Example]], device: torch.device, _: int
    ) -> Batch | tuple[Batch, list[Example]]:
        if isinstance(loaded, Batch):
            return loaded.to(device)
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


def train(config: RunConfig, *, resume: bool = True, progress: bool = True) -> tuple[TrainedModel, Scores]:
    """Train as configured; returns the model of the epoch that `keep` selects, and its validation scores.

    Writes settings, checkpoints, CSV and TensorBoard logs and the finished model below `config.output`. With
    `resume`, an interrupted run is resumed from its last finished epoch. Raises InputError if it had other settings,
    or if data, device or output can't be used.
    """
    keep_freed_memory()
    c = config.training
    device = device_of(c)
    train_set = open_questions(config.data.path_of(config.data.train), config.data.limits).labelled()
    val_set = open_questions(config.data.path_of(config.data.val), config.data.limits)
    for note in dict.fromkeys(train_set.notes + val_set.notes):
        print(note, file=sys.stderr)
    train_set.check_same_features(val_set)
    if all(question.answer_index is None for question in val_set.questions):
        raise InputError(
            f"{val_set.name}: no question has an answer_idx, so epochs can't be compared; set another data.val"
        )
    _check_regions_are_words(config, train_set)
    check_replaceable(config.output / MODEL)
    last_checkpoint = _open_run(config, resume)
    finished = finished_epochs(last_checkpoint)  # the random numbers of a resumed run must not repeat
    pl.seed_everything((c.seed + finished) % 2**32, workers=True, verbose=False)
    train_set.fit_projections(
        config.model.region_components,
        whiten=config.model.whiten,
        regions_are_words=_regions_are_words(config),
        seed=c.seed,
    )
    val_set.projections = train_set.projections
    sizes = {"text_dim": train_set.text_dim, "region_dim": train_set.region_dim}
    if c.compile == "auto" and device == "cpu" and len(train_set) * c.epochs >= WORTH_COMPILING:
        compile_or_warn()
    model = build_model(config.model.system.model_copy(update=sizes))
    sampler = LengthBucketSampler(train_set.sizes(), c.batch_size, c.batch_size // c.micro_batches, c.seed)
    sampler.set_epoch(finished)  # Lightning sets it only after a worker has asked for the first batches
    module = TrainingModule(
        model, c, math.ceil(len(sampler) / c.micro_batches), val_set.questions, train_set.concepts
    )
    best, every_epoch = BestEpoch(last_checkpoint.parent), EveryEpoch(last_checkpoint.parent)
    trainer = _trainer(config, [best, every_epoch, Patience(c.patience)], progress)
    trainer.fit(
        module,
        DataLoader(
            ExampleDataset(train_set), batch_sampler=sampler, collate_fn=collate, num_workers=config.data.workers,
            persistent_workers=config.data.workers > 0,
        ),
        inference_loader(val_set),
        ckpt_path=last_checkpoint if last_checkpoint.exists() else None,
        weights_only=True,
    )  # fmt: skip
    kept = Path(best.best_model_path) if c.keep == "best" else last_checkpoint
    if not kept.is_file():
        raise InputError(f"{config.output}: no epoch was finished, so there is no model; train for longer")
    module.load_state_dict(torch.load(kept, weights_only=True, map_location="cpu")["state_dict"])
    trained_model = TrainedModel(
        model.eval(),
        FeatureRecipe(text=train_set.text_name, regions=train_set.region_name),
        train_set.projections,
        tuple(sorted(train_set.concepts)),
        config.data.limits,
    )
    save_model(trained_model, config.output / MODEL)
    return trained_model, evaluate_model(trained_model, val_set, device)


def _open_run(config: RunConfig, resume: bool) -> Path:
    """Write the settings; returns the path of the last epoch's checkpoint, which exists if there is one to resume."""
    if not resume:
        shutil.rmtree(config.output / CHECKPOINTS, ignore_errors=True)
    # The rates of a cosine schedule depend on the number of epochs.
    length = {"training.epochs"} if config.training.schedule == "plateau" else set[str]()
    return open_run(
        config.output,
        settings_of(config),
        advice="choose another output, or start over with --no-resume",
        may_differ=CHANGEABLE_ON_RESUME | length,
        parse=lambda content: settings_of(RunConfig.model_validate(content)),
    )


def _regions_are_words(config: RunConfig) -> bool:
    system = config.model.system
    return isinstance(system, StageConfig) and system.regions_as_words


def _check_regions_are_words(config: RunConfig, questions: QuestionSet) -> None:
    if not _regions_are_words(config):
        return
    if config.model.region_components:
        raise InputError(
            "model.regions_as_words: word vectors aren't reduced; leave out model.region_components"
        )
    if questions.region_name != LabelFeatures.name_for(questions.text_name):
        raise InputError(
            f"model.regions_as_words: the regions of {questions.name} are {questions.region_name}, not visual "
            f"concepts of {questions.text_name}; extract them with `stage features regions --concepts`, or set it to "
            "false"
        )


def in_bfloat16(config: TrainingConfig) -> bool:
    """Whether a run computes in bfloat16 on this machine."""
    if config.precision != "auto":
        return config.precision == "bfloat16"
    return bfloat16_is_fast(device_of(config))


def device_of(config: TrainingConfig) -> str:
    """The device of a run: "cpu" or "cuda". Raises InputError if a GPU is required and there is none."""
    device = "cpu" if config.device == "cpu" else best_device()
    if config.device == "gpu" and device == "cpu":
        raise InputError(
            "training.device: PyTorch sees no GPU here; leave it at auto, or install PyTorch with CUDA"
        )
    return device


def _trainer(config: RunConfig, callbacks: Sequence[Callback], progress: bool) -> pl.Trainer:
    c = config.training
    # A resumed run gets its own folder, next to the earlier one's.
    csv_logger = CSVLogger(config.output, "logs")
    return pl.Trainer(
        max_epochs=c.epochs,
        accelerator=device_of(c),  # not auto, which may choose an untested device
        devices=1,
        # Not SLURM's: on its signal it writes a checkpoint to the working directory, and reads any that is there.
        plugins=[LightningEnvironment()],
        default_root_dir=config.output / CHECKPOINTS,
        precision="bf16-mixed" if in_bfloat16(c) else "32-true",
        accumulate_grad_batches=c.micro_batches,
        gradient_clip_val=c.gradient_clip,
        callbacks=[*callbacks, RichProgressBar()] if progress else [*callbacks],
        enable_progress_bar=progress,
        enable_model_summary=False,
        logger=[csv_logger, TensorBoardLogger(config.output, "logs", version=csv_logger.version)],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=LOG_EVERY,
    )
