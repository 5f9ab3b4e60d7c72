"""Importing checkpoints of the authors' release as trained models."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from stage.annotation.vocabulary import normalise_word
from stage.data.examples import Limits
from stage.errors import InputError, first_line
from stage.features.names import RELEASED_REGIONS, RELEASED_TEXT
from stage.features.projection import Projections
from stage.inference.model_folder import FeatureRecipe, TrainedModel
from stage.io import read_json
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.weights import from_release
from stage.wording import quoted

UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
)
"""What unpickling a damaged or unknown file can raise."""
MOST_EXPANSION = 8
"""Bytes of weights in float32 for each byte of their file: four are right for weights of a byte each."""
BEGINNINGS = (b"PK", b"\x80")
"""Of what torch.save writes: a zip archive, or in old versions a pickle."""
RENAMED_OPTIONS = (
    ("attention_scale", "scale"),
    ("span_margin", "extra_span_length"),
    ("dropout", "dropout"),
)
"""Settings of StageConfig that weights don't imply -> the release's names of them."""
DEFAULT_REGIONS = 25
"""Regions per frame that the release reads by default."""


def import_checkpoint(path: Path, options: Path | None = None, concepts: Path | None = None) -> TrainedModel:
    """Import a state_dict as a trained model.

    options: the run's opt.json; it is checked against the weights. concepts: a JSON file with the words that the
    model was trained to ground. Raises InputError if the file contains more than weights, or weights that don't fit
    STAGE or the options.
    """
    weights = read_state_dict(path)
    try:
        stage = from_release(weights)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    limits = Limits(regions=DEFAULT_REGIONS)
    if options is not None:
        values = read_json(options)
        if not isinstance(values, dict):
            raise InputError(f"{options}: contains no options; give the opt.json next to the checkpoint")
        _check_options(values, stage.config, options)
        limits = _limits(values)
        stage = _with_options(stage, values)
    words = tuple(map(normalise_word, _words(concepts))) if concepts else ()
    return TrainedModel(
        stage,
        FeatureRecipe(text=RELEASED_TEXT, regions=RELEASED_REGIONS),
        Projections(),
        words,
        limits,
        path.name,
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights of a .pth file, by name, as float32. Nothing that could run code is unpickled.

    Raises InputError if the file contains anything but weights, or if they have more values than the file holds.
    """
    try:
        _check_archive(path)
        loaded = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error}); check the path") from None
    except UNPICKLING_ERRORS as error:
        with path.open("rb") as file:
            if not file.read(2).startswith(BEGINNINGS):
                raise InputError(f"{path}: is no checkpoint of PyTorch; give the .pth file") from None
        raise InputError(
            f"{path}: contains more than weights, or is incomplete; it was not read, since unpickling it could run "
            f"code; if you trust it, save only its weights with torch.save(model.state_dict(), ...) "
            f"({first_line(error)[:160]})"
        ) from None
    for key in ("model", "state_dict", "net"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"{path}: is not a state_dict (names of weights to tensors)")
    _check_tensors(path, loaded)
    return {str(name).removeprefix("module."): value.float() for name, value in loaded.items()}


def _check_archive(path: Path) -> None:
    """Raises InputError if an archive unpacks to more than it holds: torch.save compresses nothing.

    Raises OSError if the file can't be read. What is no archive, or a broken one, passes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return
    if unpacked > (size := path.stat().st_size):
        raise InputError(
            f"{path}: unpacks to {unpacked:,} bytes from {size:,}; checkpoints aren't compressed, save it again with "
            "torch.save"
        )


def _check_tensors(path: Path, weights: Mapping[Any, Tensor]) -> None:
    """Raises InputError if tensors are no plain numbers, or together larger than their file, as expanded ones are."""
    for name, value in weights.items():
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_nested
        if not (plain and value.is_floating_point()):
            raise InputError(f"{path}: {quoted(name)} is no plain tensor of floating point numbers")
    count, size = sum(value.numel() for value in weights.values()), path.stat().st_size
    if count * torch.float32.itemsize > MOST_EXPANSION * size:
        raise InputError(
            f"{path}: its weights have {count:,} values, but the file has {size:,} bytes; save them again with "
            "torch.save, as tensors that aren't expanded"
        )
    if broken := [name for name, value in weights.items() if not value.isfinite().all()]:
        raise InputError(f"{path}: its weights {quoted(broken[0])} are not finite; give another checkpoint")


def _check_options(options: Mapping[str, Any], config: StageConfig, path: Path) -> None:
    """Raises InputError if options contradict the weights or are not supported."""
    if options.get("t_iter"):
        raise InputError(
            f"{path}: t_iter is {options['t_iter']}; iterative span refinement (t_iter > 0) is not supported, "
            "only t_iter 0 can be imported"
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
    for key, implied in expected:
        if implied is not None and key in options and options[key] != implied:
            raise InputError(
                f"{path}: {key} is {options[key]}, but the weights imply {implied}; is it from another run?"
            )


def _with_options(stage: Stage, options: Mapping[str, Any]) -> Stage:
    """The same weights, with the settings that only the options specify."""
    changes = {ours: options[theirs] for ours, theirs in RENAMED_OPTIONS if theirs in options}
    try:
        changed = Stage(StageConfig.model_validate({**stage.config.model_dump(), **changes}))
    except ValidationError as error:
        raise InputError(
            f"the options are not valid for STAGE: {error.errors()[0]['msg']} ({changes})"
        ) from None
    changed.load_state_dict(stage.state_dict())
    return changed.eval()


def _limits(options: Mapping[str, Any]) -> Limits:
    """The lengths at which the run truncated sequences."""
    lengths = {
        "hypothesis_words": options.get("max_qa_l"),
        "subtitle_words": options.get("max_sub_l"),
        "frames": options.get("max_vid_l"),
        "regions": options.get("max_vcpt_l"),
    }
    return Limits(**{name: value for name, value in lengths.items() if isinstance(value, int) and value > 0})


def _words(path: Path) -> list[str]:
    """The words of a JSON list, or the keys of a JSON object."""
    raw = read_json(path)
    words = list(raw) if isinstance(raw, (dict, list)) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise InputError(f"{path}: contains neither a list of words nor an object with words as keys")
    return words
