"""Track records of trained models: how often they were right, and how certain they may look"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stage.errors import InputError
from stage.io import read_json
from stage.types import TrackRecord

RECORDS = "records.json"
"""In a model folder."""


class StoredRecord(BaseModel):
    """A `TrackRecord` in a file, and what makes the model's probabilities fit it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(min_length=1, max_length=200)
    questions: int = Field(ge=1)
    right: float = Field(ge=0, le=1)
    chance: float = Field(ge=0, lt=1)
    span_iou: float | None = Field(default=None, ge=0, le=1)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """By which the logarithms of probabilities are divided, fitted on held-out questions of this kind."""

    @property
    def record(self) -> TrackRecord:
        """What travels with the evidence."""
        return TrackRecord(self.kind, self.questions, self.right, self.chance, self.span_iou)


class Records(BaseModel):
    """How a model did on films like those it was trained on, and on other films."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    own: StoredRecord
    other: StoredRecord | None = None
    """None if it was never measured on others."""


def read_records(folder: Path) -> Records | None:
    """The track records of a model folder; None if it has none. Raises InputError if they can't be read."""
    path = folder / RECORDS
    if not path.is_file():
        return None
    try:
        return Records.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "whole file"
        raise InputError(f"{path}: {where}: {first['msg']}; correct it, or remove the file") from None


def tempered(probabilities: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Probabilities with their logarithms divided by a temperature: flatter above 1 (Guo et al., ICML 2017)."""
    if temperature == 1:
        return tuple(probabilities)
    top = max(probabilities)
    raised = [(p / top) ** (1 / temperature) for p in probabilities]
    return tuple(value / sum(raised) for value in raised)


def believed(probabilities: Sequence[float], record: TrackRecord) -> tuple[float, ...]:
    """Probabilities drawn towards equal ones, so that none is above the share of questions that were right.

    For films unlike those of the training: there a model's certainty means nothing, and how often it was right does.
    """
    weight = max(0.0, (record.right - record.chance) / (1 - record.chance))
    even = 1 / len(probabilities)
    return tuple(even + weight * (p - even) for p in probabilities)


def fitted_temperature(probabilities: Sequence[Sequence[float]], answers: Sequence[int]) -> float:
    """The temperature with the best likelihood of the right answers, between 1/8 and 8, by golden section.

    probabilities: of each question's candidates. answers: index of each right one.
    """

    def loss(log_temperature: float) -> float:
        scaled = (tempered(p, math.exp(log_temperature)) for p in probabilities)
        return -sum(math.log(max(p[k], 1e-12)) for p, k in zip(scaled, answers, strict=True))

    low, high, ratio = -math.log(8), math.log(8), (math.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)
