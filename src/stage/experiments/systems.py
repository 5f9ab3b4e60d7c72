"""The systems of the paper's tables, each as overrides of full STAGE's config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stage.errors import InputError
from stage.model.build import KINDS
from stage.training.config import FEATURE_KEYS

TextKind = Literal["glove", "bert"]


@dataclass(frozen=True, slots=True)
class System:
    """A system to compare; it is trained once, however many tables show it."""

    name: str
    overrides: tuple[str, ...] = ()
    """Of the configuration, as given to `--set`."""
    text: TextKind | None = None
    """The word vectors that its data must have; None if any will do."""
    localises: bool = True
    """Whether it learns to predict spans. If not, its spans are chance, and tables show "-"."""
    trained: bool = True
    """False for a system without weights."""

    @property
    def kind(self) -> str:
        """The `kind` of its model configuration."""
        return next((o.partition("=")[2] for o in self.overrides if o.startswith("model.kind=")), "longest")


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
        # Local features are trained on the true spans, so there are none without temporal supervision.
        System("stage_without_temporal", (STAGE, GLOBAL_ONLY, NO_TEMPORAL)),
    )
}


def text_kind(encoder: str) -> TextKind:
    """The kind of word vectors of an encoder: "glove" if its name without folders contains that, else "bert"."""
    return "glove" if "glove" in Path(encoder).name.lower() else "bert"


def settings_for(system: System, settings: Sequence[str]) -> list[str]:
    """The user's settings for all systems, followed by the system's own overrides.

    A model setting that this kind of system lacks is dropped if another kind has it. Raises InputError if the user
    sets the kind.
    """
    if any(setting.startswith("model.kind=") for setting in settings):
        raise InputError("--set model.kind: each row sets its own kind; choose rows with --rows")
    return [*(s for s in settings if not _of_another_kind(s, system.kind)), *system.overrides]


def _of_another_kind(setting: str, kind: str) -> bool:
    section, _, name = setting.partition("=")[0].partition(".")
    if section != "model" or name in FEATURE_KEYS:
        return False
    kinds = [other for other, config in KINDS.items() if name in config.model_fields]
    return bool(kinds) and kind not in kinds


def systems_named(names: Sequence[str]) -> list[str]:
    """The names without duplicates. Raises InputError if there is no such system."""
    if unknown := [name for name in names if name not in SYSTEMS]:
        raise InputError(f"--rows {unknown[0]}: there is no such row; choose from {', '.join(SYSTEMS)}")
    return list(dict.fromkeys(names))
