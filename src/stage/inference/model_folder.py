"""A trained model as a folder: its weights, what it was made for, and its card."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from stage.data.examples import Limits
from stage.errors import InputError
from stage.features.names import PACKAGED_BERT, PACKAGED_DETECTOR
from stage.features.projection import Projections
from stage.model.baselines.longest import Longest
from stage.model.build import TrainableConfig, VideoQASystem, build_model
from stage.model.config import StageConfig, SystemConfig
from stage.model.execution.onnx import GROUNDING, SCORING, ExportedStage, export_graphs
from stage.model.stage import Stage

if TYPE_CHECKING:
    from torch import Tensor

    from stage.features.protocols import FeatureAttributes

CONFIG, WEIGHTS, CARD = "config.json", "weights.safetensors", "card.md"
OF_A_MODEL = {CONFIG, WEIGHTS, CARD, GROUNDING, SCORING}
PACKAGED = Path(__file__).parents[1] / "assets" / "models"
DEFAULT_MODEL = "sitcom"
LONGEST = "longest"
"""The model that always chooses the longest answer (docs/baselines.md): no folder, no weights, any features."""
STAGE_PREFIX, PROJECTION_PREFIX = "stage.", "projection."


class FeatureRecipe(BaseModel):
    """Which encoders the features came from; a model can't read any others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """Name of the text encoder."""
    regions: str
    """Name of the region detector."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[2] = 2
    stage: TrainableConfig
    features: FeatureRecipe
    limits: Limits
    concepts: tuple[str, ...]


@dataclass(frozen=True)
class TrainedModel:
    """STAGE, or another system, with everything that an answer needs beside the film."""

    stage: VideoQASystem | ExportedStage
    features: FeatureRecipe
    projections: Projections
    concepts: tuple[str, ...]
    """Words (lower case) that had boxes in training: those that the model can ground."""
    limits: Limits
    name: str = ""

    def check_features(self, found: FeatureAttributes, where: str) -> None:
        """Raises InputError if features (of the place `where`) are not what the model was made for."""
        if isinstance(self.stage, Longest):
            return
        ours = self.features
        seen = ours.regions if self.stage.config.reads_video else found.regions
        for made_for, given in ((ours.text, found.text), (seen, found.regions)):
            if made_for != given:
                raise InputError(
                    f"{where}: has features of {given}, but the model {self.name} was made for those of "
                    f"{made_for}; make features with the model's encoders, or train a model on these"
                )
        config = self.stage.config
        through = self.projections.regions
        regions = through.mean.size if through else config.region_dim
        sizes = [("word vectors", config.text_dim, found.text_dim)]
        sizes += [("region features", regions, found.region_dim)] if config.reads_video else []
        for what, read, found_size in sizes:
            if read != found_size:
                raise InputError(
                    f"{where}: {what} have {found_size} values, but the model {self.name} reads {read}"
                )


def save_model(model: TrainedModel, folder: Path, card: str = "") -> None:
    """Write a model to a folder, whole or not at all. An older model there is replaced.

    Raises InputError if the folder holds anything else.
    """
    check_place(folder)
    with _made(folder) as making:
        (making / CONFIG).write_text(_config_of(model))
        if card:
            (making / CARD).write_text(card)
        (making / WEIGHTS).write_bytes(save(_tensors(model)))


def check_place(folder: Path) -> None:
    """Raises InputError if a model written to this folder would replace anything but a model of ours."""
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - OF_A_MODEL):
        raise InputError(f"{folder}: exists and is no model; choose another place")


def export_model(model: TrainedModel, folder: Path) -> None:
    """Write a model folder that holds graphs in place of STAGE's weights. An older one there is replaced.

    Raises InputError if the model can't be exported, or if the folder holds anything else.
    """
    stage = model.stage
    if not isinstance(stage, Stage):
        kind = "exported already" if isinstance(stage, ExportedStage) else f"of kind {stage.config.kind}"
        raise InputError(f"{model.name}: is {kind}; give a model of kind stage, as `stage train` writes it")
    if folder.exists() and not (folder / GROUNDING).is_file():
        raise InputError(f"{folder}: exists and is no exported model; choose another place")
    check_place(folder)
    with _made(folder) as making:
        (making / CONFIG).write_text(_config_of(model))
        (making / WEIGHTS).write_bytes(save(_projection_tensors(model)))
        export_graphs(stage, making)


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """A folder to write in, which takes the place of `folder` when all is written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield making
        if folder.exists():
            shutil.rmtree(folder)
        os.chmod(making, 0o755)
        os.replace(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _config_of(model: TrainedModel) -> str:
    stored = _Stored(
        stage=model.stage.config, features=model.features, limits=model.limits, concepts=model.concepts
    )
    return stored.model_dump_json(indent=1)


def _tensors(model: TrainedModel) -> dict[str, Tensor]:
    tensors = {STAGE_PREFIX + name: value.contiguous() for name, value in model.stage.state_dict().items()}
    return tensors | _projection_tensors(model)


def _projection_tensors(model: TrainedModel) -> dict[str, Tensor]:
    import torch

    return {
        # A copy in one piece: safetensors refuses what is not, or shares memory.
        PROJECTION_PREFIX + name: torch.from_numpy(array.copy())
        for name, array in model.projections.to_arrays().items()
    }


def load_model(spec: str | Path) -> TrainedModel:
    """A packaged model by name ("sitcom", "longest") or a model folder. Only weights are read, never code.

    An exported model is run by onnxruntime. Raises InputError if there is no such model or it is not one.
    """
    folder = Path(spec)
    if str(spec) == LONGEST and not folder.exists():
        packaged = FeatureRecipe(text=PACKAGED_BERT, regions=PACKAGED_DETECTOR)
        return TrainedModel(Longest(), packaged, Projections(), (), Limits(), LONGEST)
    if not folder.exists() and (PACKAGED / str(spec)).is_dir():
        folder = PACKAGED / str(spec)
    if not (folder / CONFIG).is_file():
        known = ", ".join(sorted([LONGEST, *(p.name for p in PACKAGED.glob("*"))]))
        raise InputError(
            f"{spec}: no model there; give a model folder or the name of a packaged model ({known})"
        )
    try:
        stored = _Stored.model_validate_json((folder / CONFIG).read_text())
        tensors = load_file(folder / WEIGHTS)
        stage = _stage_of(folder, stored.stage, _part(tensors, STAGE_PREFIX))
        arrays = {name: value.numpy() for name, value in _part(tensors, PROJECTION_PREFIX).items()}
        projections = Projections.from_arrays(arrays)
    except (ValidationError, SafetensorError, OSError, RuntimeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(f"{folder}: is not a model of this version: {_reason(error)}") from None
    if broken := [name for name, value in tensors.items() if not value.isfinite().all()]:
        raise InputError(f"{folder}: its weights {broken[0]} are not numbers; train the model again")
    return TrainedModel(
        stage.eval(), stored.features, projections, stored.concepts, stored.limits, name=str(spec)
    )


def _stage_of(
    folder: Path, config: SystemConfig, weights: dict[str, Tensor]
) -> VideoQASystem | ExportedStage:
    if (folder / GROUNDING).is_file() and isinstance(config, StageConfig):
        return ExportedStage.load(config, folder)
    stage = build_model(config)
    stage.load_state_dict(weights)
    return stage


def _reason(error: Exception) -> str:
    """What is wrong, in short."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{CONFIG}, {'.'.join(map(str, first['loc'])) or 'whole file'}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"{WEIGHTS} has no {error.args[0]}"
    return " ".join(str(error).split())[:300]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
