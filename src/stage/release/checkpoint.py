"""Checkpoints of the authors' release to trained models."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from stage.data.examples import Limits
from stage.errors import InputError, first_line
from stage.features.names import RELEASED_REGIONS, RELEASED_TEXT
from stage.features.projection import Projections
from stage.inference.model_folder import FeatureRecipe, TrainedModel
from stage.io import read_json
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.weights import from_release

NOT_READ = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)
"""What unpickling a damaged or foreign file can raise."""
RENAMED_OPTIONS = (
    ("attention_scale", "scale"),
    ("span_margin", "extra_span_length"),
    ("dropout", "dropout"),
)
REGIONS_BY_DEFAULT = 25
"""Regions of a frame that the release reads unless told otherwise."""


def import_checkpoint(path: Path, options: Path | None = None, concepts: Path | None = None) -> TrainedModel:
    """A trained model from a state_dict. What its options say is checked against what its weights say.

    Raises InputError if the file holds more than weights, or weights that have no place in STAGE.
    """
    stage = from_release(read_state_dict(path))
    limits = Limits(regions=REGIONS_BY_DEFAULT)
    if options is not None:
        said = read_json(options)
        if not isinstance(said, dict):
            raise InputError(
                f"{options}: holds no options; give the opt.json that lies beside the checkpoint"
            )
        _check_options(said, stage.config, options)
        limits = _limits(said)
        stage = _with_options(stage, said)
    words = tuple(map(str.lower, _words(concepts))) if concepts else ()
    return TrainedModel(
        stage,
        FeatureRecipe(text=RELEASED_TEXT, regions=RELEASED_REGIONS),
        Projections(),
        words,
        limits,
        path.name,
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights of a .pth file. Nothing that could run code is unpickled."""
    try:
        loaded = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from None
    except NOT_READ as error:
        raise InputError(
            f"{path}: holds more than weights, or is not whole, and was not read, since unpickling it could run "
            f"code; save its state_dict alone with torch.save(model.state_dict(), ...) where you trust it "
            f"({first_line(error)[:160]})"
        ) from None
    for key in ("model", "state_dict", "net"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"{path}: is not a state_dict (names of weights to tensors)")
    return {str(name).removeprefix("module."): value.float() for name, value in loaded.items()}


def _check_options(said: Mapping[str, Any], config: StageConfig, path: Path) -> None:
    """Raises InputError where options ask for what the weights are not, or what can't be mapped."""
    if said.get("t_iter"):
        raise InputError(
            f"{path}: t_iter is {said['t_iter']}; span predictors that are refined again (t_iter > 0) have no place "
            "here, only t_iter 0 can be imported"
        )
    expected: list[tuple[str, Any]] = [
        ("hsz", config.hidden),
        ("embedding_size", config.text_dim),
        ("vfeat_size", config.region_dim if config.reads_video else None),
        ("add_local", config.local_features),
        ("input_encoder_n_conv", config.units),
        ("cls_encoder_n_conv", config.fusion_units),
        ("input_encoder_n_blocks", config.blocks),
        ("cls_encoder_n_blocks", config.fusion_blocks),
        ("input_encoder_kernel_size", config.input_kernel),
        ("cls_encoder_kernel_size", config.fusion_kernel),
    ]
    for key, found in expected:
        if found is not None and key in said and said[key] != found:
            raise InputError(
                f"{path}: {key} is {said[key]}, but the weights are of {found}; is it of another run?"
            )


def _with_options(stage: Stage, said: Mapping[str, Any]) -> Stage:
    """The same weights, with what options say and weights don't."""
    changes = {ours: said[theirs] for ours, theirs in RENAMED_OPTIONS if theirs in said}
    try:
        changed = Stage(StageConfig.model_validate({**stage.config.model_dump(), **changes}))
    except ValidationError as error:
        raise InputError(
            f"the options can't be those of a STAGE: {error.errors()[0]['msg']} ({changes})"
        ) from None
    changed.load_state_dict(stage.state_dict())
    return changed.eval()


def _limits(said: Mapping[str, Any]) -> Limits:
    named = {
        "hypothesis_words": said.get("max_qa_l"),
        "subtitle_words": said.get("max_sub_l"),
        "frames": said.get("max_vid_l"),
        "regions": said.get("max_vcpt_l"),
    }
    return Limits(**{name: value for name, value in named.items() if isinstance(value, int) and value > 0})


def _words(path: Path) -> list[str]:
    raw = read_json(path)
    words = list(raw) if isinstance(raw, (dict, list)) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise InputError(f"{path}: holds no list of words, nor a map from words")
    return words
