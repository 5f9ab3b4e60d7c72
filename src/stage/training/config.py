"""A run in one YAML file: what to train on, which model, how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stage.data.examples import Limits
from stage.errors import InputError
from stage.model.build import KINDS, TrainableConfig
from stage.model.config import StageConfig

STRICT = ConfigDict(extra="forbid", frozen=True)
NOT_OF_THE_SYSTEM = ("whiten", "region_components", "text_dim", "region_dim")
"""Keys of the section `model` that aren't settings of a system; the sizes, found in the features, can't be set."""


class DataConfig(BaseModel):
    """Data folders, or FOLDER/SPLIT of another known layout (see docs/data.md)."""

    model_config = STRICT

    root: Path | None = None
    """Where `train` and `val` are looked for; without it they are paths of their own."""
    train: Path
    val: Path
    limits: Limits = Limits()
    workers: int = Field(default=1, ge=0)
    """Processes that prepare batches; 0 prepares them in the training process."""

    def place(self, split: Path) -> Path:
        """Where a split lies."""
        return self.root / split if self.root else split


class ModelConfig(BaseModel):
    """Which system a run trains, STAGE if no `kind` is named. Sizes of vectors come from the features."""

    model_config = STRICT

    system: TrainableConfig = StageConfig()
    """In a file its settings stand beside `kind`, in the section `model` itself."""
    whiten: bool = False
    """Turn and scale word vectors and region features so that over the training set no direction varies more than
    another. What tells names, or looks, apart varies little in features made for anything, and is learnt late."""
    region_components: int | None = Field(default=None, gt=0)
    """Reduce region features to this many principal components; none leaves them as they are."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "system" in content:
            return content
        ours = {key: value for key, value in content.items() if key in NOT_OF_THE_SYSTEM}
        return {**ours, "system": {key: value for key, value in content.items() if key not in ours}}


class TrainingConfig(BaseModel):
    """How the weights are found. Defaults are those of the paper and the release."""

    model_config = STRICT

    epochs: int = Field(default=100, gt=0)
    batch_size: int = Field(default=16, gt=0)
    """Questions of a step."""
    at_once: int = Field(default=4, gt=0)
    """Questions of a step that are in memory together; their gradients add up until `batch_size` is reached.
    Fewer need less memory; on a GPU more are faster."""
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=3e-7, ge=0)
    gradient_clip: float = Field(default=10.0, gt=0)
    span_weight: float = Field(default=0.5, ge=0)
    """0: no temporal supervision."""
    attention_weight: float = Field(default=0.1, ge=0)
    """0: no spatial supervision."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: halve the rate when validation accuracy stands still for `plateau_checks`; cosine: one rise and
    fall over all epochs."""
    plateau_checks: int = Field(default=10, gt=0)
    """There is one check an epoch, so with less `patience` than this training stops before."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's model is the result. The best of several checks (by validation accuracy) is luck where questions
    are few; after a cosine schedule the last one is trained better than those before it."""
    patience: int = Field(default=5, gt=0)
    """Epochs without a better validation accuracy after which training stops."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """auto: bfloat16 where the device computes it faster than float32."""
    compile: Literal["auto", "never"] = "auto"
    """auto: let a C++ compiler make one loop of consecutive element-wise steps, on a CPU that has one, in a run that
    is long enough for it."""
    seed: int = Field(default=2018, ge=0, le=2**32 - 1)
    device: Literal["auto", "cpu", "gpu"] = "auto"

    @property
    def parts(self) -> int:
        """How many times a step's gradients add up: as often as `batch_size` can be shared out evenly."""
        shares = (n for n in range(1, self.batch_size + 1) if self.batch_size % n == 0)
        return next(n for n in shares if n * self.at_once >= self.batch_size)


class RunConfig(BaseModel):
    """Everything that `stage train` needs to know."""

    model_config = STRICT

    data: DataConfig
    output: Path
    """Folder for checkpoints, logs and the finished model."""
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


def settings_of(config: RunConfig) -> dict[str, Any]:
    """All settings, as JSON has them."""
    return config.model_dump(mode="json")


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a YAML file; each override is "section.key=value", the value in YAML.

    An override of model.kind leaves out the file's model settings that are of the other kind alone.
    Raises InputError with the key and the reason if it does not validate.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); give the path of a YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds no settings; it should map data, model, training and output to values"
        )
    # The kind first: what other overrides set is meant for it.
    for override in sorted(overrides, key=lambda o: not o.startswith("model.kind=")):
        kind = _kind(content)
        _apply(content, override)
        if _kind(content) != kind:
            _keep_what_the_kind_has(content.get("model"))
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_reason(error)}") from None


def _apply(content: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise InputError(f"--set {override}: write it as key=value, for example training.epochs=3")
    *sections, name = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise InputError(f"--set {override}: {section} is a value, not a section")
    try:
        content[name] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(f"--set {override}: the value is not YAML") from None


def _kind(content: Mapping[str, Any]) -> Any:
    model = content.get("model")
    return model.get("kind", "stage") if isinstance(model, dict) else "stage"


def _keep_what_the_kind_has(model: Any) -> None:
    if isinstance(model, dict) and (config := KINDS.get(str(model.get("kind", "stage")))):
        for key in set(model) - set(config.model_fields) - set(NOT_OF_THE_SYSTEM):
            del model[key]


def _first_reason(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part not in ("system", *KINDS))
    if first["type"] == "unknown_kind":
        return f"{key}.kind: {first['msg']}"
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such setting; check its spelling and its section"
    if first["type"] == "missing":
        return f"{key}: is missing, and has no default"
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, but it is {first['input']!r}"
