"""The longest answer: a floor that exploits annotation bias."""

from __future__ import annotations

from typing import Literal

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline, Scored
from stage.model.config import SystemConfig


class LongestConfig(SystemConfig):
    """Has no settings."""

    kind: Literal["longest"] = "longest"

    @property
    def reads_video(self) -> bool:
        return False


class Longest(Baseline):
    """Scores a hypothesis by its number of words; ties go to the first. Has no weights."""

    def __init__(self, config: LongestConfig | None = None) -> None:
        super().__init__()
        self.config = config or LongestConfig()

    def forward(self, batch: Batch) -> Scored:
        return Scored(batch.word_mask.sum(-1).float())
