"""Registry of STAGE and the baselines, by the `kind` that a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union

import torch
from pydantic import Discriminator, Tag
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline
from stage.model.baselines.late_fusion import LateFusion, LateFusionConfig
from stage.model.baselines.multi_task import MultiTask, MultiTaskConfig
from stage.model.baselines.pamn import Pamn, PamnConfig
from stage.model.baselines.st_vqa import StVqa, StVqaConfig
from stage.model.baselines.two_stream import TwoStream, TwoStreamConfig
from stage.model.config import StageConfig, SystemConfig
from stage.model.losses import Losses, LossSums, LossWeights, join_losses, stage_loss_sums
from stage.model.stage import Stage

VideoQASystem = Stage | Baseline
"""A module with a `config` and `answer(batch) -> BatchPrediction`; `training_losses` trains it."""

SYSTEMS: dict[type[SystemConfig], Callable[[Any], VideoQASystem]] = {
    StageConfig: Stage,
    TwoStreamConfig: TwoStream,
    StVqaConfig: StVqa,
    LateFusionConfig: LateFusion,
    PamnConfig: Pamn,
    MultiTaskConfig: MultiTask,
}
"""Every system that is trained, by its configuration. ("longest" isn't: it has no weights.)"""

KINDS: dict[str, type[SystemConfig]] = {config.model_fields["kind"].default: config for config in SYSTEMS}
"""Their configurations by the name that stands in files: `kind`."""


def _kind_of(content: Any) -> str | None:
    """The kind that a configuration names. Model folders from before there were kinds are STAGE and name none."""
    kind = content.get("kind", "stage") if isinstance(content, dict) else getattr(content, "kind", None)
    return kind if isinstance(kind, str) and kind in KINDS else None


if TYPE_CHECKING:
    TrainableConfig = SystemConfig
else:
    TrainableConfig = Annotated[
        Union[tuple(Annotated[config, Tag(kind)] for kind, config in KINDS.items())],  # noqa: UP007
        Discriminator(
            _kind_of,
            custom_error_type="unknown_kind",
            custom_error_message=f"there is no such kind of model; choose one of {', '.join(KINDS)}",
        ),
    ]
"""The settings of any system that is trained, distinguished by `kind`."""


def build_model(config: SystemConfig) -> VideoQASystem:
    """The system of a configuration, with new weights. Raises ValueError if it is not one of `SYSTEMS`."""
    if type(config) not in SYSTEMS:
        raise ValueError(f"{config.kind} is not built from settings")
    return SYSTEMS[type(config)](config)


def training_losses(
    model: VideoQASystem, parts: Sequence[Batch], weights: LossWeights
) -> tuple[Losses, Tensor]:
    """The losses of a step, which is divided into parts with targets, and its answer logits (N, K).

    Losses and gradients don't depend on the division, apart from rounding and from what is drawn at random. The parts
    have one loss, but not all their activations are kept for its gradient: those of all parts but the last are
    computed again when they are needed, with the same random numbers.
    """
    *recomputed, last = parts
    sums: list[LossSums] = [
        checkpoint(_loss_sums, model, part, weights, use_reentrant=False) for part in recomputed
    ]
    sums.append(_loss_sums(model, last, weights))
    return join_losses(sums, weights), torch.cat([part.question_logits for part in sums])


def _loss_sums(model: VideoQASystem, batch: Batch, weights: LossWeights) -> LossSums:
    if isinstance(model, Stage):
        return stage_loss_sums(model, batch, weights)
    return model.loss_sums(batch, weights)
