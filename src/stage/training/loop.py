"""The training loop of STAGE and the baselines, on pytorch-lightning."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from torch import Tensor
from torch.utils.data import DataLoader

from stage.data.layouts import check_places, open_questions
from stage.data.loading import CollateStep, ExampleDataset, LengthBucketSampler, inference_loader
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.names import VISUAL_CONCEPTS, without_digest
from stage.features.projection import Projections
from stage.features.regions.visual_concepts import LabelFeatures
from stage.inference.model_folder import FeatureRecipe, TrainedModel, check_replaceable, save_model
from stage.inference.score import evaluate_model
from stage.lock import locked
from stage.metrics import Scores
from stage.model.build import build_model
from stage.model.config import StageConfig
from stage.model.ops.compiled import compile_or_warn
from stage.runtime.allocator import keep_freed_memory
from stage.runtime.hardware import best_device, bfloat16_is_fast
from stage.terminal import echo
from stage.training.checkpoints import BestEpoch, Draws, EveryEpoch, Patience, Record, WholeFiles
from stage.training.config import RunConfig, TrainingConfig, settings_of
from stage.training.module import LOG_EVERY, TrainingModule
from stage.training.reporting import EpochReport, interruptible, without_advice
from stage.training.resuming import (
    CHECKPOINTS,
    DATA,
    RUN_SETTINGS,
    EarlierRun,
    Fingerprints,
    check_best,
    find_run,
    restoring,
    start_run,
)
from stage.types import Progress

MODEL = "model"
CHANGEABLE_ON_RESUME = frozenset(
    {"output", "data.workers"} | {f"training.{key}" for key in ("device", "compile", "at_once", "patience")}
)
"""Settings that may differ when a run is resumed."""
DATA_SETS = ("data.train", "data.val")
"""Names of their fingerprints in the record of a run."""
PROJECTIONS = "projections"
"""Key of that record: as `Projections.to_arrays`, but tensors."""
WORTH_COMPILING = 5_000
"""Questions times epochs from which compiling pays off; it takes as long as a few thousand questions."""


def train(
    config: RunConfig, *, resume: bool = True, progress: Progress | None = None
) -> tuple[TrainedModel, Scores]:
    """Train as configured; returns the model of the epoch that `keep` selects, and its validation scores.

    Writes settings, checkpoints, CSV and TensorBoard logs and the finished model below `config.output`. With
    `resume`, an interrupted run is resumed from its last finished epoch, with the projections that it was begun with,
    and ends as it would have undisturbed. progress: called after every step; with it, a line for every epoch is
    printed to standard error.

    Raises InputError if the run had other settings or other data, if data, device or output can't be used, or if
    another process works in the output; KeyboardInterrupt if it is interrupted, with a line on what is kept.
    """
    keep_freed_memory()
    device_of(config.training)
    train_set, val_set = _open_data(config)
    check_replaceable(config.output / MODEL)
    with locked(config.output, "a training"):
        return _train(config, train_set, val_set, resume, progress)


def _train(
    config: RunConfig, train_set: QuestionSet, val_set: QuestionSet, resume: bool, progress: Progress | None
) -> tuple[TrainedModel, Scores]:
    c = config.training
    device = device_of(c)
    fingerprints = {
        name: s.fingerprint().to_json() for name, s in zip(DATA_SETS, (train_set, val_set), strict=True)
    }
    run = _find_run(config, fingerprints, resume)
    pl.seed_everything(c.seed, workers=True, verbose=False)
    with restoring(run.checkpoint, lambda: True):
        recorded = _projections(run)
    projections = recorded or _fit_projections(config, train_set)
    train_set, val_set = train_set.with_projections(projections), val_set.with_projections(projections)
    sizes = {"text_dim": train_set.text_dim, "region_dim": train_set.region_dim}
    if c.compile == "auto" and device == "cpu" and len(train_set) * c.epochs >= WORTH_COMPILING:
        compile_or_warn()
    model = build_model(config.model.system.model_copy(update=sizes))
    sampler = LengthBucketSampler(train_set.sizes(), c.batch_size, c.seed)
    sampler.set_epoch(run.epochs)  # Lightning sets it only after a worker has asked for the first batches
    module = TrainingModule(model, c, len(sampler), val_set.questions, train_set.concepts)
    best, every_epoch = BestEpoch(run.checkpoint.parent), EveryEpoch(run.checkpoint.parent)
    settings = settings_of(config)
    record = Record({DATA: fingerprints, RUN_SETTINGS: settings, PROJECTIONS: _tensors(projections)})
    report = [EpochReport(progress)] if progress else []
    loader = DataLoader(
        ExampleDataset(train_set, training=True), batch_sampler=sampler, collate_fn=CollateStep(c.at_once),
        num_workers=config.data.workers, persistent_workers=config.data.workers > 0,
    )  # fmt: skip
    start_run(config.output, settings, run)
    again = "the same command" if resume else "the same command without --no-resume"
    with without_advice():
        trainer = _trainer(config, [best, every_epoch, record, Draws(loader), Patience(c.patience), *report])
        with interruptible(run.checkpoint, again), restoring(run.checkpoint, lambda: not module.has_begun):
            trainer.fit(
                module,
                loader,
                inference_loader(val_set),
                ckpt_path=run.checkpoint if run.epochs else None,
                weights_only=True,
            )
    kept = Path(best.best_model_path) if c.keep == "best" else run.checkpoint
    if not kept.is_file():
        raise InputError(f"{config.output}: no epoch was finished, so there is no model; train for longer")
    module.load_state_dict(torch.load(kept, weights_only=True, map_location="cpu")["state_dict"])
    trained_model = TrainedModel(
        model.eval(),
        FeatureRecipe(text=train_set.text_name, regions=train_set.region_name),
        projections,
        tuple(sorted(train_set.concepts)),
        config.data.limits,
    )
    save_model(trained_model, config.output / MODEL)
    return trained_model, evaluate_model(trained_model, val_set, device)


def _open_data(config: RunConfig) -> tuple[QuestionSet, QuestionSet]:
    """Training and validation set, whose notes are printed. Raises InputError if they can't be trained with."""
    check_places([config.data.path_of(config.data.train), config.data.path_of(config.data.val)])
    train_set = open_questions(config.data.path_of(config.data.train), config.data.limits).labelled()
    val_set = open_questions(config.data.path_of(config.data.val), config.data.limits)
    for note in dict.fromkeys(train_set.notes + val_set.notes):
        echo(note, file=sys.stderr)
    train_set.check_same_features(val_set)
    if all(question.answer_index is None for question in val_set.questions):
        raise InputError(
            f"{val_set.name}: no question has an answer_idx, so epochs can't be compared; set another data.val"
        )
    _check_regions_are_words(config, train_set)
    _check_regions_have_vectors(config, train_set)
    return train_set, val_set


def _find_run(config: RunConfig, fingerprints: Fingerprints, resume: bool) -> EarlierRun:
    """The run in the output folder, if there is one to resume; nothing is written."""
    c = config.training
    changeable = set(CHANGEABLE_ON_RESUME)
    if c.schedule == "plateau":  # the rates of a cosine schedule depend on the number of epochs
        changeable.add("training.epochs")
    if isinstance(config.model.system, StageConfig) and config.model.system.release_padding:
        changeable.remove("training.at_once")  # each micro-batch has its own padding, which is seen
    advice = "choose another output, or start over with --no-resume"
    run = find_run(
        config.output,
        settings_of(config),
        fingerprints,
        resume=resume,
        advice=advice,
        may_differ=changeable,
        parse=lambda content: settings_of(RunConfig.model_validate(content)),
    )
    if c.keep == "best":
        check_best(run, advice)
    if run.epochs and run.record is None:
        if config.model.whiten or config.model.region_components:
            raise InputError(
                f"{config.output}: contains a run of an earlier version, which doesn't record how its features were "
                "projected; choose another output, or start over with --no-resume"
            )
        echo(
            f"{config.output}: contains a run of an earlier version, which doesn't record its data; it is resumed as "
            "if they had not changed",
            file=sys.stderr,
        )
    return run


def _fit_projections(config: RunConfig, questions: QuestionSet) -> Projections:
    return questions.fit_projections(
        config.model.region_components,
        whiten=config.model.whiten,
        regions_are_words=_regions_are_words(config),
        seed=config.training.seed,
    )


def _projections(run: EarlierRun) -> Projections | None:
    """Those that a run was begun with; None if it is new, or of an earlier version."""
    if run.record is None:
        return None
    return Projections.from_arrays({name: a.numpy().copy() for name, a in run.record[PROJECTIONS].items()})


def _tensors(projections: Projections) -> dict[str, Tensor]:
    """For checkpoints, which hold no arrays."""
    return {name: torch.from_numpy(array.copy()) for name, array in projections.to_arrays().items()}


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


def _check_regions_have_vectors(config: RunConfig, questions: QuestionSet) -> None:
    if (
        config.model.system.reads_video
        and questions.region_name
        and not questions.source.attributes.region_dim
    ):
        detector = without_digest(questions.region_name)
        raise InputError(
            f"{questions.name}: regions of {detector} have labels but no vectors to train on; extract them again as "
            f"visual concepts, with --detector {VISUAL_CONCEPTS}{without_digest(questions.text_name)}+{detector}"
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


def _trainer(config: RunConfig, callbacks: Sequence[Callback]) -> pl.Trainer:
    c = config.training
    # A resumed run gets its own folder, next to the earlier one's.
    csv_logger = CSVLogger(config.output, "logs")
    return pl.Trainer(
        max_epochs=c.epochs,
        accelerator=device_of(c),  # not auto, which may choose an untested device
        devices=1,
        # Not SLURM's: on its signal it writes a checkpoint to the working directory, and reads any that is there.
        plugins=[LightningEnvironment(), WholeFiles(config.output / CHECKPOINTS)],
        default_root_dir=config.output / CHECKPOINTS,
        precision="bf16-mixed" if in_bfloat16(c) else "32-true",
        gradient_clip_val=c.gradient_clip,
        callbacks=[*callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=[csv_logger, TensorBoardLogger(config.output, "logs", version=csv_logger.version)],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=LOG_EVERY,
    )
