"""Data, model and losses to a trained model: pytorch-lightning's loop around STAGE or a baseline."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stage.annotation.predictions import PredictionTable, join_tables, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.batch import Batch
from stage.config import RunConfig, TrainingConfig, settings_of
from stage.dataset import QuestionSet
from stage.errors import InputError
from stage.examples import Example, collate, training_frames
from stage.features.concepts import ConceptRegions
from stage.layouts import open_questions
from stage.machine import bfloat16_pays, fastest_device
from stage.memory import give_memory_back, keep_memory
from stage.metrics import Scores, evaluate
from stage.model.build import VideoQA, build_model, training_losses
from stage.model.config import StageConfig, SystemConfig
from stage.model.exported import ExportedStage
from stage.model.fused import compile_fused
from stage.model.losses import LossWeights
from stage.predicting import predictions_of
from stage.resuming import CHECKPOINTS, LAST, begin
from stage.schedules import rise_and_fall
from stage.trained import FeatureRecipe, TrainedModel, save_model
from stage.types import Prediction, Question

BEST = "best"
MAY_CHANGE = frozenset(
    {"output", "data.workers"} | {f"training.{key}" for key in ("device", "compile", "at_once", "patience")}
)
"""Settings that a run can be gone on with when they are others."""
ANSWERED_AT_ONCE = 32
FRAMES_ANSWERED_AT_ONCE = 512
"""Scores of all words and regions are kept for each of them."""
WORTH_COMPILING = 5_000
"""Questions, counted once an epoch; compiling takes as long as some thousand of them."""


class StageTraining(pl.LightningModule):
    """One step: all losses of a batch. One check: the metrics of the paper on the validation questions."""

    def __init__(
        self,
        model: VideoQA,
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

    def training_step(self, batch: Batch, _: int) -> Tensor:
        losses, logits = training_losses(self.model, batch, self.weights)
        assert batch.targets is not None
        right = (logits.detach().argmax(-1) == batch.targets.answer).float().mean()
        size = len(batch)
        self.log("train/answer", losses.answer.detach() / size, batch_size=size)
        self.log("train/span", losses.span.detach() / size, batch_size=size)
        self.log("train/attention", losses.attention.detach() / size, batch_size=size)
        self.log("train/accuracy", right, batch_size=size, prog_bar=True, on_step=False, on_epoch=True)
        # Lightning takes the mean of a step's parts, but losses are sums.
        return losses.total * self.config.parts

    def validation_step(self, loaded: tuple[Batch, list[Example]], _: int) -> None:
        batch, examples = loaded
        predictions = predictions_of(self.model.answer(batch), examples, self.concepts, for_scores=True)
        self.tables.append(tabulate_predictions(predictions, self.vocabulary))

    def on_validation_epoch_start(self) -> None:
        give_memory_back()

    def on_validation_epoch_end(self) -> None:
        scores = self.scores()
        self.tables = []
        give_memory_back()
        shown = {
            "val/accuracy": scores.qa_accuracy,
            "val/miou": scores.temporal_miou,
            "val/asa": scores.answer_span_accuracy,
            "val/map": scores.grounding_map,
        }
        for name, value in shown.items():
            self.log(name, math.nan if value is None else value, prog_bar=True)

    def scores(self) -> Scores:
        table = join_tables(self.tables)
        seen = set(table.qid.tolist())
        return scores_of(table, [q for q in self.questions if q.qid in seen], self.model.config)

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
            schedule = rise_and_fall(optimizer, c.epochs * self.steps_per_epoch, rise=0.15)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", factor=0.5, patience=c.plateau_checks
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val/accuracy"}}


class Questions(Dataset[Example]):
    """The questions of a set as examples."""

    def __init__(self, questions: QuestionSet) -> None:
        self.questions = questions

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        return self.questions.example(index)


class LikeLengths(Sampler[list[int]]):
    """Random batches of questions of like size, so that little of a batch is padding.

    Questions are shuffled, cut into pools of many batches, and each pool is sorted by size. The order depends on
    the seed and the epoch alone, so a resumed run sees what an unbroken one would have seen. Batches are given part
    by part, `at_once` questions at a time.
    """

    POOL = 16

    def __init__(self, sizes: Sequence[int], batch_size: int, at_once: int, seed: int) -> None:
        self.sizes = sizes
        self.batch_size = batch_size
        self.at_once = at_once
        self.seed = seed
        self.epoch = 0

    @property
    def sampler(self) -> LikeLengths:
        """Where Lightning looks for what it tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sizes), self.batch_size)
        return whole * math.ceil(self.batch_size / self.at_once) + math.ceil(rest / self.at_once)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.sizes), generator=generator).tolist()
        pool = self.POOL * self.batch_size
        batches = []
        for first in range(0, len(order), pool):
            like = sorted(order[first : first + pool], key=self.sizes.__getitem__)
            batches += [like[i : i + self.batch_size] for i in range(0, len(like), self.batch_size)]
        whole = torch.randperm(len(order) // self.batch_size, generator=generator).tolist()
        # A short batch comes last, so that every step is one batch.
        for batch in [batches[i] for i in whole] + batches[len(whole) :]:
            yield from (batch[first : first + self.at_once] for first in range(0, len(batch), self.at_once))


def with_examples(examples: list[Example]) -> tuple[Batch, list[Example]]:
    return collate(examples), examples


def train(config: RunConfig, *, resume: bool = True, progress: bool = True) -> tuple[TrainedModel, Scores]:
    """Train as configured; returns the model of the epoch that is kept, and its validation scores.

    Writes settings, checkpoints, CSV and TensorBoard logs and the finished model below `config.output`. With
    `resume`, a run that was cut off goes on from its last finished epoch; InputError if it had other settings.
    """
    keep_memory()
    c = config.training
    device = device_of(c)
    pl.seed_everything(c.seed, workers=True, verbose=False)
    train_set = open_questions(config.data.place(config.data.train), config.data.limits).answered()
    val_set = open_questions(config.data.place(config.data.val), config.data.limits)
    for note in dict.fromkeys(train_set.notes + val_set.notes):
        print(note, file=sys.stderr)
    train_set.check_same_features(val_set)
    _check_regions_are_words(config, train_set)
    last = _begin(config, resume)
    train_set.fit_projections(
        config.model.region_components,
        whiten=config.model.whiten,
        regions_are_words=_regions_are_words(config),
        seed=c.seed,
    )
    val_set.projections = train_set.projections
    sizes = {"text_dim": train_set.text_dim, "region_dim": train_set.region_dim}
    if c.compile == "auto" and device == "cpu" and len(train_set) * c.epochs >= WORTH_COMPILING:
        compile_or_tell()
    model = build_model(config.model.system.model_copy(update=sizes))
    sampler = LikeLengths(train_set.sizes(), c.batch_size, c.batch_size // c.parts, c.seed)
    module = StageTraining(model, c, math.ceil(len(sampler) / c.parts), val_set.questions, train_set.concepts)
    folder = config.output / CHECKPOINTS
    best = ModelCheckpoint(
        folder, filename=BEST, monitor="val/accuracy", mode="max", enable_version_counter=False
    )
    # Not save_last of the one above: it writes nothing after an epoch that was no better.
    every_epoch = ModelCheckpoint(folder, filename=LAST, enable_version_counter=False)
    trainer = _trainer(config, [best, every_epoch], progress)
    trainer.fit(
        module,
        DataLoader(
            Questions(train_set), batch_sampler=sampler, collate_fn=collate, num_workers=config.data.workers,
            persistent_workers=config.data.workers > 0,
        ),
        _in_order(val_set),
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )  # fmt: skip
    kept = Path(best.best_model_path) if c.keep == "best" else last
    if not kept.is_file():
        raise InputError(f"{config.output}: no epoch was finished, so there is no model; train for longer")
    module.load_state_dict(torch.load(kept, weights_only=True, map_location="cpu")["state_dict"])
    trained = TrainedModel(
        model.eval(),
        FeatureRecipe(text=train_set.text_name, regions=train_set.region_name),
        train_set.projections,
        tuple(sorted(train_set.concepts)),
        config.data.limits,
    )
    save_model(trained, config.output / "model")
    return trained, evaluate_model(trained, val_set, device)


def _begin(config: RunConfig, resume: bool) -> Path:
    """Write down the settings; returns where the last epoch's checkpoint is, if there is one to go on from."""
    if not resume:
        shutil.rmtree(config.output / CHECKPOINTS, ignore_errors=True)
    # The rates of a cosine schedule depend on how many epochs there will be.
    longer = {"training.epochs"} if config.training.schedule == "plateau" else set[str]()
    return begin(
        config.output,
        settings_of(config),
        otherwise="choose another output, or start anew with --no-resume",
        without=MAY_CHANGE | longer,
        read=lambda content: settings_of(RunConfig.model_validate(content)),
    )


def _regions_are_words(config: RunConfig) -> bool:
    system = config.model.system
    return isinstance(system, StageConfig) and system.regions_as_words


def _check_regions_are_words(config: RunConfig, questions: QuestionSet) -> None:
    if not _regions_are_words(config):
        return
    if config.model.region_components:
        raise InputError("model.regions_as_words: words aren't reduced; leave out model.region_components")
    if questions.region_name != ConceptRegions.name_for(questions.text_name):
        raise InputError(
            f"model.regions_as_words: the regions of {questions.name} are {questions.region_name}, not visual "
            f"concepts of {questions.text_name}; make them with `stage features regions --concepts`, or set it false"
        )


def evaluate_model(trained: TrainedModel, questions: QuestionSet, device: str | None = None) -> Scores:
    """The scores of a model on all questions of a set. device: "cpu", "cuda" or by default the fastest there is."""
    vocabulary = build_vocabulary(questions.questions)
    batches = _predict_batches(trained, questions, for_scores=True, device=device)
    table = join_tables([tabulate_predictions(predictions, vocabulary) for predictions in batches])
    return scores_of(table, questions.questions, trained.stage.config)


def scores_of(table: PredictionTable, questions: Sequence[Question], system: SystemConfig) -> Scores:
    """Scores of the predictions of a system; of the answers alone if it does not localise."""
    scores = evaluate(table, questions)
    return scores if system.localises else scores.without_spans()


def predict_all(trained: TrainedModel, questions: QuestionSet, *, fast: bool = False) -> Iterator[Prediction]:
    """Predictions for all questions of a set, clip by clip; fast: in bfloat16 where that pays, not in float32."""
    return chain.from_iterable(_predict_batches(trained, questions, for_scores=False, fast=fast))


def _predict_batches(
    trained: TrainedModel,
    questions: QuestionSet,
    *,
    for_scores: bool,
    fast: bool = False,
    device: str | None = None,
) -> Iterator[list[Prediction]]:
    questions.projections = trained.projections
    concepts = set(trained.concepts)
    model = trained.stage
    if isinstance(model, ExportedStage):  # its graphs are of the CPU
        device = "cpu"
    elif (device := device or fastest_device()) != "cpu":
        model = deepcopy(model).to(device)
    short = fast and bfloat16_pays(device)
    for batch, examples in _in_order(questions):
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=short):
            answered = model.answer(batch.to(device))
        yield predictions_of(answered, examples, concepts, for_scores=for_scores)


def answering_order(questions: QuestionSet) -> list[list[int]]:
    """Batches of questions: of one clip together, since they look at the same pictures; clips of like length too."""
    sizes, asked = questions.sizes(), questions.questions
    clips = [questions.clips[q.clip] for q in asked]
    frames = [len(training_frames(q, clip, questions.limits)) for q, clip in zip(asked, clips, strict=True)]
    like = sorted(range(len(asked)), key=lambda i: (clips[i].frame_count, clips[i].name, sizes[i]))
    batches: list[list[int]] = []
    for i in like:
        if (
            not batches
            or len(batches[-1]) == ANSWERED_AT_ONCE
            or (len(batches[-1]) + 1) * frames[i] > FRAMES_ANSWERED_AT_ONCE
        ):
            batches.append([])
        batches[-1].append(i)
    return batches


def _in_order(questions: QuestionSet) -> DataLoader[Example]:
    order = answering_order(questions)
    return DataLoader(Questions(questions), batch_sampler=order, collate_fn=with_examples)


def in_bfloat16(config: TrainingConfig) -> bool:
    """Whether a run computes in bfloat16 on this machine."""
    if config.precision != "auto":
        return config.precision == "bfloat16"
    return bfloat16_pays(device_of(config))


def device_of(config: TrainingConfig) -> str:
    """Where a run computes: "cpu" or "cuda". Raises InputError if a GPU is asked for and there is none."""
    device = "cpu" if config.device == "cpu" else fastest_device()
    if config.device == "gpu" and device == "cpu":
        raise InputError(
            "training.device: PyTorch sees no GPU here; leave it at auto, or install PyTorch with CUDA"
        )
    return device


def compile_or_tell() -> None:
    """Compile element-wise steps; if there is nothing to do it with, say so, since it takes longer then."""
    if reason := compile_fused():
        print(
            f"element-wise steps are not compiled, so a step takes up to 1.6 times as long: {reason}",
            file=sys.stderr,
        )


def _trainer(config: RunConfig, checkpoints: Sequence[Callback], progress: bool) -> pl.Trainer:
    c = config.training
    callbacks: list[Callback] = [
        *checkpoints,
        EarlyStopping("val/accuracy", mode="max", patience=c.patience, check_finite=False),
    ]
    if progress:
        callbacks.append(RichProgressBar())
    table = CSVLogger(
        config.output, "logs"
    )  # a resumed run gets a folder of its own beside the earlier one's
    return pl.Trainer(
        max_epochs=c.epochs,
        accelerator=device_of(c),  # not auto, which may be a device that nothing was tested on
        devices=1,
        precision="bf16-mixed" if in_bfloat16(c) else "32-true",
        accumulate_grad_batches=c.parts,
        gradient_clip_val=c.gradient_clip,
        callbacks=callbacks,
        enable_progress_bar=progress,
        enable_model_summary=False,
        logger=[table, TensorBoardLogger(config.output, "logs", version=table.version)],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
