"""The configuration of a run: data, model and training, read from YAML."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stage.data.examples import Limits
from stage.errors import InputError
from stage.media.limits import check_bytes
from stage.model.build import KINDS, TrainableConfig
from stage.model.config import StageConfig

MOST_BYTES = 1 << 20
"""Of a configuration file."""
MOST_VALUES = 10_000
"""Of a configuration: keys, values, lists and sections, each as often as aliases repeat it."""
LONGEST_VALUE = 4_000
"""Characters of one of them."""
NOT_YAML = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError)
"""What PyYAML raises for broken files, and for values that don't fit their tags."""
STRICT = ConfigDict(extra="forbid", frozen=True)
FEATURE_KEYS = ("whiten", "region_components", "text_dim", "region_dim")
"""Keys of the section `model` that concern the features, not the system. The sizes come from the data; they can't be
set."""


class DataConfig(BaseModel):
    """Data folders, or FOLDER/SPLIT of another known layout (see docs/reference/files.md)."""

    model_config = STRICT

    root: Path | None = None
    """Folder that `train` and `val` are relative to, if given."""
    train: Path
    val: Path
    limits: Limits = Limits()
    workers: int = Field(default=1, ge=0)
    """Processes that prepare batches; with 0, the training process does."""

    def path_of(self, split: Path) -> Path:
        """The path of a split: that of `train` or `val`, below `root` if there is one."""
        return self.root / split if self.root else split


class ModelConfig(BaseModel):
    """The system that a run trains: STAGE, or the one that `kind` names. Vector sizes come from the features."""

    model_config = STRICT

    system: TrainableConfig = StageConfig()
    """In a YAML file its settings are next to `kind`, in the section `model` itself."""
    whiten: bool = False
    """Whiten word vectors and region features (PCA on the training set). The directions that tell names, or looks,
    apart have little variance in general-purpose features, and are learnt late without it."""
    region_components: int | None = Field(default=None, gt=0)
    """Reduce region features to this many principal components; None leaves them as they are."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "system" in content:
            return content
        own = {key: value for key, value in content.items() if key in FEATURE_KEYS}
        return {**own, "system": {key: value for key, value in content.items() if key not in own}}


class TrainingConfig(BaseModel):
    """Optimisation and run settings. Defaults are those of the paper and the release."""

    model_config = STRICT

    epochs: int = Field(default=100, gt=0)
    batch_size: int = Field(default=16, gt=0)
    """Questions per step."""
    at_once: int | None = Field(default=None, gt=0)
    """Questions whose activations are in memory at a time; None: all of a step. Fewer need less memory and more time,
    since those of the others are computed twice; a step has the same loss."""
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=3e-7, ge=0)
    gradient_clip: float = Field(default=10.0, gt=0)
    span_weight: float = Field(default=0.5, ge=0)
    """0: no temporal supervision."""
    attention_weight: float = Field(default=0.1, ge=0)
    """0: no spatial supervision."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: halve the learning rate when validation accuracy doesn't improve for `plateau_checks`; cosine: warmup
    and cosine annealing over all epochs."""
    plateau_checks: int = Field(default=10, gt=0)
    """Validations, of which there is one per epoch: with a smaller `patience`, training stops before."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's model is the result: that with the best validation accuracy, or the last. With few validation
    questions the best one is chance; after a cosine schedule the last one is trained best."""
    patience: int = Field(default=5, gt=0)
    """Stop after this many epochs without a better validation accuracy."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """auto: bfloat16 if the device is faster in it than in float32."""
    compile: Literal["auto", "never"] = "auto"
    """auto: compile element-wise operations, on a CPU with a C++ compiler, in runs long enough for it to pay off."""
    seed: int = Field(default=2018, ge=0, le=2**32 - 1)
    device: Literal["auto", "cpu", "gpu"] = "auto"


class RunConfig(BaseModel):
    """The content of a configuration file for `stage train`."""

    model_config = STRICT

    data: DataConfig
    output: Path
    """Folder for checkpoints, logs and the finished model."""
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()


def settings_of(config: RunConfig) -> dict[str, Any]:
    """All settings, as plain values for a JSON file."""
    return config.model_dump(mode="json")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a YAML file; each override is "section.key=value", with the value in YAML.

    An override of model.kind drops the file's model settings that the new kind lacks. Raises InputError with the key
    and the reason if the configuration is invalid.
    """
    path = Path(path)
    try:
        check_bytes(path, MOST_BYTES)
        content = _parsed(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not YAML, nor any text in UTF-8; is it the right file?") from None
    except NOT_YAML as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: is not YAML of settings: {reason}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: contains no settings; it should map data, model, training and output to values"
        )
    # The kind first: the other overrides are meant for it.
    for override in sorted(overrides, key=lambda o: not o.startswith("model.kind=")):
        kind = _kind(content)
        _apply(content, override)
        if _kind(content) != kind:
            _drop_settings_of_other_kinds(content.get("model"))
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_error(error)}") from None


def _parsed(text: str) -> Any:
    """The content of YAML, whose size is known before it is made: aliases multiply it. Raises what NOT_YAML lists."""
    sizes: dict[yaml.Node, float] = {}

    def size(node: yaml.Node) -> float:
        """Values in a node, with those that aliases repeat; infinite if it contains itself."""
        if node not in sizes:
            sizes[node] = math.inf
            if isinstance(node, yaml.ScalarNode) and (len(node.value) > LONGEST_VALUE or "\0" in node.value):
                raise yaml.YAMLError(f"a value is longer than {LONGEST_VALUE:,} characters, or has a NUL")
            items = [] if isinstance(node, yaml.ScalarNode) else node.value
            inner = itertools.chain(*items) if isinstance(node, yaml.MappingNode) else items
            sizes[node] = 1 + sum(map(size, inner))
        return sizes[node]

    root = yaml.compose(text, yaml.SafeLoader)
    if root is not None and size(root) > MOST_VALUES:
        raise yaml.YAMLError(f"with its aliases it has more than {MOST_VALUES:,} values")
    return yaml.safe_load(text)


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
        content[name] = _parsed(value)
    except NOT_YAML:
        raise InputError(f"--set {override}: the value is not YAML") from None


def _kind(content: Mapping[str, Any]) -> Any:
    model = content.get("model")
    return model.get("kind", "stage") if isinstance(model, dict) else "stage"


def _drop_settings_of_other_kinds(model: Any) -> None:
    if isinstance(model, dict) and (config := KINDS.get(str(model.get("kind", "stage")))):
        for key in set(model) - set(config.model_fields) - set(FEATURE_KEYS):
            del model[key]


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part not in ("system", *KINDS))
    if first["type"] == "unknown_kind":
        return f"{key}.kind: {first['msg']}"
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such setting; check its spelling and its section"
    if first["type"] == "missing":
        return f"{key}: is missing, and has no default"
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, but it is {first['input']!r}"
