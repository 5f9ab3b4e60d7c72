"""The systems of the tables: each a name for what it changes in a configuration of STAGE in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stage.errors import InputError
from stage.model.build import KINDS
from stage.training.config import NOT_OF_THE_SYSTEM

TextKind = Literal["glove", "bert"]


@dataclass(frozen=True, slots=True)
class System:
    """A row of a table, trained once however many tables show it."""

    name: str
    changes: tuple[str, ...] = ()
    """As given to `--set`, on top of the configuration."""
    text: TextKind | None = None
    """Which word vectors the data must have; none if any will do."""
    localises: bool = True
    """Whether it learns to find the moment. What is measured without is chance; tables print '-'."""
    trained: bool = True

    @property
    def kind(self) -> str:
        return next((c.partition("=")[2] for c in self.changes if c.startswith("model.kind=")), "longest")


STAGE = "model.kind=stage"
GLOBAL_ONLY = "model.local_features=false"
NO_TEMPORAL, NO_SPATIAL = "training.span_weight=0", "training.attention_weight=0"
LATE_FUSION = ("model.kind=late_fusion", NO_SPATIAL)
BACKBONE = (STAGE, GLOBAL_ONLY, NO_TEMPORAL, NO_SPATIAL)
BACKBONE_TEMPORAL = (STAGE, GLOBAL_ONLY, NO_SPATIAL)

SYSTEMS = {
    system.name: system
    for system in (
        System("longest", localises=False, trained=False),
        System("questions_only", (STAGE, "model.streams=none", NO_TEMPORAL), localises=False),
        System("st_vqa", ("model.kind=st_vqa",)),
        System("two_stream", ("model.kind=two_stream",)),
        System("pamn", ("model.kind=pamn",)),
        System("multi_task", ("model.kind=multi_task",)),
        System("stage_video", (STAGE, "model.streams=video")),
        System("stage_subtitles", (STAGE, "model.streams=subtitles")),
        System("stage", (STAGE,)),
        System("late_fusion_rnn", (*LATE_FUSION, "model.encoder=rnn")),
        System("late_fusion_cnn", (*LATE_FUSION, "model.encoder=cnn")),
        System("backbone", BACKBONE, localises=False),
        System("backbone_temporal", BACKBONE_TEMPORAL),
        System("backbone_temporal_spatial", (STAGE, GLOBAL_ONLY)),
        System("backbone_glove", BACKBONE, text="glove", localises=False),
        System("backbone_temporal_glove", BACKBONE_TEMPORAL, text="glove"),
        System("stage_without_spatial", (STAGE, NO_SPATIAL)),
        System("late_fusion_spatial", ("model.kind=late_fusion", "model.encoder=cnn")),
        # Local features are trained on the true spans, so without temporal supervision they can't be had.
        System("stage_without_temporal", (STAGE, GLOBAL_ONLY, NO_TEMPORAL)),
    )
}


def text_kind(encoder: str) -> TextKind:
    """Which of the paper's two kinds of word vectors an encoder's name says: those named for GloVe, or BERT's."""
    return "glove" if "glove" in encoder.lower() else "bert"


def settings_for(system: System, settings: Sequence[str]) -> list[str]:
    """What the user set for all systems, and what this one changes.

    A model setting that this kind of system doesn't have is left out if another kind has it. Raises InputError if
    the user sets the kind.
    """
    if any(setting.startswith("model.kind=") for setting in settings):
        raise InputError("--set model.kind: the rows of the tables choose the kind; choose rows with --rows")
    return [*(s for s in settings if not _of_another_kind(s, system.kind)), *system.changes]


def _of_another_kind(setting: str, kind: str) -> bool:
    section, _, name = setting.partition("=")[0].partition(".")
    if section != "model" or name in NOT_OF_THE_SYSTEM:
        return False
    having = [other for other, config in KINDS.items() if name in config.model_fields]
    return bool(having) and kind not in having


def systems_named(names: Sequence[str]) -> list[str]:
    """The same names, each once. Raises InputError if one is of no system."""
    if strangers := [name for name in names if name not in SYSTEMS]:
        raise InputError(f"--rows {strangers[0]}: there is no such row; choose of {', '.join(SYSTEMS)}")
    return list(dict.fromkeys(names))
