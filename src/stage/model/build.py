"""Everything that answers questions: STAGE and its baselines, by the kind that a configuration names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag
from torch import Tensor

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline
from stage.model.baselines.late_fusion import LateFusion, LateFusionConfig
from stage.model.baselines.multi_task import MultiTask, MultiTaskConfig
from stage.model.baselines.pamn import Pamn, PamnConfig
from stage.model.baselines.st_vqa import StVqa, StVqaConfig
from stage.model.baselines.two_stream import TwoStream, TwoStreamConfig
from stage.model.config import StageConfig, SystemConfig
from stage.model.losses import Losses, LossWeights, stage_losses
from stage.model.stage import Stage

VideoQASystem = Stage | Baseline
"""A module with a `config` and `answer(batch) -> BatchPrediction`; `training_losses` trains it."""

KINDS: dict[str, type[SystemConfig]] = {
    "stage": StageConfig,
    "two_stream": TwoStreamConfig,
    "st_vqa": StVqaConfig,
    "late_fusion": LateFusionConfig,
    "pamn": PamnConfig,
    "multi_task": MultiTaskConfig,
}
"""What can be trained, by name. "longest" can't: it has no weights."""


def _kind_of(content: Any) -> str | None:
    """The kind that a configuration names. Folders of before there were kinds hold STAGE and name none."""
    found = content.get("kind", "stage") if isinstance(content, dict) else getattr(content, "kind", None)
    return found if isinstance(found, str) and found in KINDS else None


TrainableConfig = Annotated[
    Annotated[StageConfig, Tag("stage")]
    | Annotated[TwoStreamConfig, Tag("two_stream")]
    | Annotated[StVqaConfig, Tag("st_vqa")]
    | Annotated[LateFusionConfig, Tag("late_fusion")]
    | Annotated[PamnConfig, Tag("pamn")]
    | Annotated[MultiTaskConfig, Tag("multi_task")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_kind",
        custom_error_message=f"there is no such kind of model; choose one of {', '.join(KINDS)}",
    ),
]
"""The settings of any system that is trained, told apart by `kind`."""


def build_model(config: SystemConfig) -> VideoQASystem:
    """The system of a configuration, with new weights."""
    match config:
        case StageConfig():
            return Stage(config)
        case TwoStreamConfig():
            return TwoStream(config)
        case StVqaConfig():
            return StVqa(config)
        case LateFusionConfig():
            return LateFusion(config)
        case PamnConfig():
            return Pamn(config)
        case MultiTaskConfig():
            return MultiTask(config)
        case _:
            raise ValueError(f"{config.kind} is not built from settings")


def training_losses(model: VideoQASystem, batch: Batch, weights: LossWeights) -> tuple[Losses, Tensor]:
    """All losses of a batch with targets, and the answer logits (N, K)."""
    if isinstance(model, Stage):
        return stage_losses(model, batch, weights)
    return model.losses(batch, weights)
