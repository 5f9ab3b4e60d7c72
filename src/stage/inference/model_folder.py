"""Save, load and export trained models as folders: config, weights, card."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from stage.data.examples import Limits
from stage.errors import InputError
from stage.features.names import PACKAGED_BERT, PACKAGED_DETECTOR, same_model
from stage.features.projection import Projections
from stage.inference.names import KINDS, PLACES
from stage.inference.track_record import RECORDS, Records, read_records
from stage.io import check_writable_folder, read_json, restored, write_bytes, write_text, writing_folder
from stage.model.baselines.longest import Longest
from stage.model.build import TrainableConfig, VideoQASystem, build_model
from stage.model.config import StageConfig, SystemConfig
from stage.model.encoder import LONGEST_TABLE
from stage.model.execution.onnx import GROUNDING, SCORING, ExportedStage, export_graphs
from stage.model.stage import Stage

if TYPE_CHECKING:
    from torch import Tensor

    from stage.features.protocols import FeatureAttributes

CONFIG, WEIGHTS, CARD = "config.json", "weights.safetensors", "card.md"
MODEL_FILES = {CONFIG, WEIGHTS, CARD, RECORDS, GROUNDING, SCORING}
RUN_MODEL = "model"
"""The model folder in the folder of a run."""
PACKAGED = Path(__file__).parents[1] / "assets" / "models"
DEFAULT_MODEL = "sitcom"
LONGEST = "longest"
"""The baseline that always picks the longest answer (docs/baselines.md): no folder, no weights, any features."""
SYSTEM_PREFIX, PROJECTION_PREFIX = "stage.", "projection."
"""Of tensor names in the weights; the system's is "stage." even if it is a baseline."""


class FeatureRecipe(BaseModel):
    """The encoders that a model's features come from; it can't read those of others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """Name of the text encoder."""
    regions: str
    """Name of the region detector."""


class _StoredConfig(BaseModel):
    """The content of config.json."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[2] = 2
    stage: TrainableConfig
    """Of the system, which may be a baseline."""
    features: FeatureRecipe
    limits: Limits
    concepts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """STAGE or a baseline, with everything that inference needs besides the film and its features."""

    model: VideoQASystem | ExportedStage
    features: FeatureRecipe
    projections: Projections
    concepts: tuple[str, ...]
    """Words (lower case) that had boxes in training: those that the model grounds."""
    limits: Limits
    name: str = ""
    notes: tuple[str, ...] = ()
    """Messages to the user about which model this is."""
    records: Records | None = None
    """How often it was right; None if that is unknown, as of models that users train."""
    digest: str = ""
    """Of its files, by which models of the same name differ; empty if it was not read from a folder."""

    @property
    def attention_scale(self) -> float:
        """Factor of attention scores before their softmax; 1 for a system that has none of either."""
        scale: float = getattr(self.model.config, "attention_scale", 1.0)
        return scale

    def check_features(self, given: FeatureAttributes, where: str) -> None:
        """Raises InputError if the features of `where` (for the message) are not those the model was trained on."""
        if isinstance(self.model, Longest):
            return
        config, projection = self.model.config, self.projections.regions
        encoders = [(self.features.text, given.text)]
        sizes = [("word vectors", config.text_dim, given.text_dim)]
        if config.reads_video:
            encoders += [(self.features.regions, given.regions)]
            region_dim = projection.mean.size if projection else config.region_dim
            sizes += [("region features", region_dim, given.region_dim)]
        for trained_on, encoder in encoders:
            if not same_model(trained_on, encoder):
                raise InputError(
                    f"{where}: has features of {encoder}, but the model {self.name} was trained on those of "
                    f"{trained_on}; extract features with the model's encoders, or train a model on these"
                )
        for what, expected, size in sizes:
            if expected != size:
                raise InputError(
                    f"{where}: {what} have {size} values, but the model {self.name} expects {expected}"
                )


def save_model(model: TrainedModel, folder: str | Path, card: str = "") -> None:
    """Write a model folder atomically. A model that is already there is replaced.

    card: Markdown for card.md; none is written if it is empty. Raises InputError if the folder contains anything
    else.
    """
    check_replaceable(Path(folder))
    with writing_folder(folder) as partial:
        write_text(partial / CONFIG, _config_json(model))
        if card:
            write_text(partial / CARD, card)
        write_bytes(partial / WEIGHTS, save(_tensors(model)))


def check_replaceable(folder: Path) -> None:
    """Raises InputError if a model would replace anything but a model or an empty folder, or can't be written."""
    folder = restored(folder)
    names = {path.name for path in folder.iterdir()} if os.path.isdir(folder) else set()
    is_another = names - MODEL_FILES or (names and not _is_model_folder(folder))
    if is_another or os.path.isfile(folder):
        raise InputError(f"{folder}: exists and is no model folder; choose another one")
    check_writable_folder(folder)


def _is_model_folder(folder: Path) -> bool:
    """Whether a folder has the config.json of a model of this project, of whatever version. Others have one too."""
    try:
        config = read_json(folder / CONFIG)
    except InputError:
        return False
    return isinstance(config, dict) and {"format", "stage", "features"} <= config.keys()


def export_model(model: TrainedModel, folder: Path) -> None:
    """Write a model folder with ONNX graphs in place of STAGE's weights. One that is already there is replaced.

    Raises InputError if the model can't be exported, or if the folder contains anything else.
    """
    system = model.model
    if not isinstance(system, Stage):
        kind = "exported already" if isinstance(system, ExportedStage) else f"of kind {system.config.kind}"
        raise InputError(f"{model.name}: is {kind}; give a model of kind stage, as `stage train` writes it")
    if folder.exists() and not (folder / GROUNDING).is_file():
        raise InputError(f"{folder}: exists and is no exported model; choose another folder")
    for name in ("hypothesis_words", "subtitle_words", "regions"):
        if (length := getattr(model.limits, name)) > LONGEST_TABLE:
            raise InputError(
                f"{model.name}: reads up to {length} {name.replace('_', ' ')}, and an exported model up to "
                f"{LONGEST_TABLE}; train one with lower limits"
            )
    check_replaceable(folder)
    with writing_folder(folder) as partial:
        write_text(partial / CONFIG, _config_json(model))
        write_bytes(partial / WEIGHTS, save(_projection_tensors(model)))
        export_graphs(system, partial)


def _config_json(model: TrainedModel) -> str:
    stored = _StoredConfig(
        stage=model.model.config, features=model.features, limits=model.limits, concepts=model.concepts
    )
    return stored.model_dump_json(indent=1)


def _tensors(model: TrainedModel) -> dict[str, Tensor]:
    tensors = {SYSTEM_PREFIX + name: value.contiguous() for name, value in model.model.state_dict().items()}
    return tensors | _projection_tensors(model)


def _projection_tensors(model: TrainedModel) -> dict[str, Tensor]:
    import torch

    return {
        # A contiguous copy: safetensors refuses arrays that aren't, or that share memory.
        PROJECTION_PREFIX + name: torch.from_numpy(array.copy())
        for name, array in model.projections.to_arrays().items()
    }


def load_model(spec: str | Path) -> TrainedModel:
    """Load a model folder, or a packaged model by name ("sitcom", "longest"). No code in it is ever run.

    A model folder comes before the packaged model of its name, which is noted; other folders of that name don't.
    An exported model is run by onnxruntime. Raises InputError if there is no such model, or it can't be read.
    """
    folder, name = Path(spec), str(spec)
    notes: tuple[str, ...] = ()
    if name in _packaged_names():
        notes = _ambiguity_notes(name)
        folder = folder if _is_model_folder(folder) else PACKAGED / name
    if folder == PACKAGED / LONGEST:
        packaged = FeatureRecipe(text=PACKAGED_BERT, regions=PACKAGED_DETECTOR)
        return TrainedModel(Longest(), packaged, Projections(), (), Limits(), LONGEST, notes)
    if not (restored(folder) / CONFIG).is_file():
        raise InputError(_no_model(spec))
    try:
        stored = _StoredConfig.model_validate_json((folder / CONFIG).read_text("utf-8"))
        if (folder / WEIGHTS).exists() and not (folder / WEIGHTS).is_file():  # a pipe would never end
            raise ValueError(f"{WEIGHTS} is no file")
        tensors = load_file(folder / WEIGHTS)
        system = _load_system(folder, stored.stage, _with_prefix(tensors, SYSTEM_PREFIX))
        arrays = {name: value.numpy() for name, value in _with_prefix(tensors, PROJECTION_PREFIX).items()}
        projections = Projections.from_arrays(arrays)
    except (ValueError, TypeError, RuntimeError, KeyError, OSError, SafetensorError) as error:
        raise InputError(f"{folder}: is not a model of this version: {_short_reason(error)}") from None
    if broken := [name for name, value in tensors.items() if not value.isfinite().all()]:
        raise InputError(f"{folder}: its weights {broken[0]} are not finite; train the model again")
    return TrainedModel(
        system.eval(),
        stored.features,
        projections,
        stored.concepts,
        stored.limits,
        name=name,
        notes=notes,
        records=read_records(folder),
        digest=_digest(folder),
    )


def _digest(folder: Path) -> str:
    """Of the files of a model that decide about its answers."""
    digest = hashlib.sha256()
    for name in sorted(MODEL_FILES - {CARD}):
        if (folder / name).is_file():
            content = (folder / name).read_bytes()
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _ambiguity_notes(name: str) -> tuple[str, ...]:
    """What to tell who names a packaged model where there is a model folder of that name, or what may be one."""
    folder = Path(name).resolve()
    if _is_model_folder(folder):
        return (f"the model is that in the folder {folder}, not the packaged one of this name",)
    if (folder / CONFIG).exists() or (folder / WEIGHTS).exists():
        return (
            f"the model is the packaged one; the folder {folder} has files of a model that can't be read",
        )
    return ()


def _packaged_names() -> list[str]:
    return sorted([LONGEST, *(path.name for path in PACKAGED.glob("*"))])


def _no_model(spec: str | Path) -> str:
    """Why there is no model to load."""
    given = Path(spec)
    if _is_model_folder(given / RUN_MODEL):
        return f"{spec}: is the folder of a run; its model is {given / RUN_MODEL}"
    if given.is_file() and _is_model_folder(given.parent):
        return f"{spec}: is a file of a model; give its folder, {given.parent}"
    what = f"is no model folder (it has no {CONFIG})" if given.is_dir() else "no such model"
    known = ", ".join(_packaged_names())
    others = ", ".join(kind + PLACES.get(kind, "") for kind in KINDS)
    return (
        f"{spec}: {what}; give a model folder or the name of a packaged model ({known}); films are also answered by "
        f"{others}"
    )


def _load_system(
    folder: Path, config: SystemConfig, weights: dict[str, Tensor]
) -> VideoQASystem | ExportedStage:
    if (folder / GROUNDING).is_file() and isinstance(config, StageConfig):
        return ExportedStage.load(config, folder)
    import torch

    with torch.device("meta"):  # a damaged configuration of a huge model is noticed before it takes memory
        build_model(config).load_state_dict(weights, assign=True)
    system = build_model(config)
    system.load_state_dict(weights)
    return system


def _short_reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{CONFIG}, {'.'.join(map(str, first['loc'])) or 'whole file'}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"{WEIGHTS} has no {error.args[0]}"
    return " ".join(str(error).split())[:300]


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, with it removed."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
