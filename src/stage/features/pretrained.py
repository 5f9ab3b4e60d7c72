"""Loading Hugging Face models: what can fail, missing weights, progress of downloads, names of folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError

from stage.errors import InputError, first_line
from stage.features.hub import downloaded, is_hub_name, out_of_reach
from stage.features.names import name_of_file
from stage.features.pretrained_files import (
    CONFIG,
    VOCABULARIES,
    WEIGHTS,
    check_files,
    has_any,
    no_larger_than_its_weights,
)

LOADING_ERRORS = (
    OSError, ValueError, LookupError, ImportError, RuntimeError, TypeError, AttributeError, SafetensorError,
)  # fmt: skip
"""What transformers and safetensors raise for a model that is missing, incomplete or of the wrong type, or whose
settings have values of other types than expected."""
BUFFERS = frozenset(("position_ids", "token_type_ids", "num_batches_tracked", "inv_freq"))
"""Buffers that some versions of transformers save and others don't. Their values are never learned."""
POOLER = "pooler"
"""The layer after the last one that some tasks use. No encoder of this project reads it."""
NAMED_KEYS = 3
"""Most weights of each kind that a message names."""
LEAST_POSITIONS = 3
"""That a model must have: of a wordpiece, [CLS] and [SEP]."""
BLOCK = 1 << 20
"""Bytes that are read at once to identify weights."""
NEUTRAL_KEYS = frozenset(
    ("transformers_version", "_name_or_path", "name_or_path", "architectures", "dtype", "torch_dtype")
)
"""Keys of configurations that don't decide about features: models are always loaded in float32."""


def name_of_folder(folder: Path, settings: Sequence[str]) -> str:
    """The name of the model in a folder, see `stage.features.names`. Its files have been checked.

    settings: patterns of the files, besides config.json, that decide about its features.
    """
    weights = hashlib.sha256()
    for path in sorted(folder.glob(WEIGHTS)):
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                weights.update(block)
    files = sorted({path for pattern in (CONFIG, *settings) for path in folder.glob(pattern)})
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(_settings(path)).digest())
    return name_of_file(folder, weights.hexdigest(), digest.hexdigest())


def _settings(path: Path) -> bytes:
    """What a file of settings says: of a configuration without what changes when it is saved again."""
    content = path.read_bytes()
    if not path.name.endswith(CONFIG):
        return content
    try:
        settings = json.loads(content)
    except (ValueError, RecursionError):  # which is reported when the model is loaded
        return content
    if isinstance(settings, dict):
        settings = {key: value for key, value in settings.items() if key not in NEUTRAL_KEYS}
    return json.dumps(settings, sort_keys=True).encode()


def is_folder(spec: str, what: str) -> bool:
    """Whether a model is a folder; otherwise it is one of the hub. Raises InputError if it can be neither.

    what: "image-text encoder", for the message.
    """
    if Path(spec).is_dir():
        return True
    if not is_hub_name(spec):
        raise InputError(f"{spec}: no such {what}; give a model folder or a hub name (owner/name)")
    return False


class Source(NamedTuple):
    """Where a model is read from."""

    place: str
    """A folder, or a name on the hub."""
    local: bool
    """Whether it is on this machine: only if not, the network is used."""

    @classmethod
    def of(cls, spec: str, what: str, needed: Sequence[Sequence[str]]) -> Source:
        """That of a folder, or of a model of the hub: what was downloaded before, if it is complete, or the hub.

        what: "image-text encoder", for messages. needed: groups of file names, at least one of each is part of a
        whole model. Raises InputError if it is neither, or would have to be downloaded and the hub can't be reached.
        """
        if is_folder(spec, what):
            return cls(spec, True)
        folder = downloaded(spec)
        if folder and all(has_any(str(folder), names, local=True) for names in needed):
            return cls(str(folder), True)
        if reason := out_of_reach(spec):
            raise InputError(
                f"{spec}: is not on this machine, and can't be downloaded ({reason}); check the name and the "
                "network, or give a model folder"
            )
        return cls(spec, False)


@contextmanager
def loading(source: str, what: str, *, local: bool) -> Iterator[Any]:
    """Within, a model is loaded: its files are checked before, and whatever a library raises becomes one line.

    what: "text encoder", for the message. Shows the progress of a download. Yields the model's configuration. Raises
    InputError.
    """
    from transformers import AutoConfig

    with one_line(f"{source}: no {what} could be loaded"), download_progress(local=local), without_warnings():
        check_files(source, local=local)
        with one_line(f"{source}: config.json describes no model that could be loaded"):
            config = AutoConfig.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        yield config


@contextmanager
def one_line(problem: str) -> Iterator[None]:
    """Raises InputError in place of anything that reading or running a model of others raises."""
    try:
        yield
    except (InputError, torch.OutOfMemoryError):
        raise
    except BaseException as error:
        # tokenizers raises bare exceptions, and what stops Rust is none of Python's.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{problem} ({first_line(error)})") from None


def load_tokenizer(source: str, *, local: bool) -> Any:
    """Load the tokenizer of a model; no code that comes with it is run. To be called within `loading`.

    Raises InputError if it can't be used.
    """
    from transformers import AutoTokenizer

    if not has_any(source, VOCABULARIES, local=local):
        raise InputError(
            f"{source}: has no tokenizer (no tokenizer.json and no vocabulary); get the whole model"
        )
    with one_line(f"{source}: tokenizer.json and tokenizer_config.json give no tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            source, local_files_only=local, use_fast=True, trust_remote_code=False
        )
        if not isinstance(longest := tokenizer.model_max_length, int | float) or longest < LEAST_POSITIONS:
            raise ValueError(f"model_max_length is {longest!r}")
    return tokenizer


@contextmanager
def download_progress(*, local: bool) -> Iterator[None]:
    """Show the progress bars of transformers for a download only: loading a local model takes no time."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    if local:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silences what transformers says while it loads: of settings that nothing reads, of missing weights, advice.

    Missing weights are errors here, see `load_weights`.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def load_weights(
    model_class: Any,
    source: str,
    *,
    local: bool,
    optional: Collection[str] = (),
    dtype: torch.dtype = torch.float32,
) -> Any:
    """Load a model from safetensors, with every weight from its checkpoint. No code of it is run.

    transformers initialises missing weights randomly and ignores unexpected ones; here both are errors. Weights of
    a head that this class of model doesn't have are ignored: that for masked words when only the encoder is loaded.

    optional: names of modules whose weights may be missing. dtype: that of the weights in memory. The checkpoint's
    precision doesn't matter: half precision is converted to float32, so that CPU and GPU give the same features.

    To be called within `loading`. Raises InputError if weights are missing, unexpected, of another shape or not
    finite.
    """
    with no_larger_than_its_weights(source, local=local):
        model, report = model_class.from_pretrained(
            source, local_files_only=local, use_safetensors=True, dtype=dtype, output_loading_info=True,
            ignore_mismatched_sizes=True, trust_remote_code=False,
        )  # fmt: skip
    faults = _faults(model, report, optional)
    if faults:
        prefixed = any(key.startswith("module.") for key in report["unexpected_keys"])
        remedy = (
            'remove the prefix "module." from its keys' if prefixed else "save it with save_pretrained again"
        )
        raise InputError(
            f"{source}: the weights are not those of a {type(model).__name__} as in its config.json: "
            f"{'; '.join(faults)}; {remedy}, or use another model"
        )
    if broken := [name for name, value in model.named_parameters() if not value.isfinite().all()]:
        raise InputError(f"{source}: the weights {broken[0]} are not finite (NaN); get the model again")
    return model


def _faults(model: Any, report: dict[str, Any], optional: Collection[str]) -> list[str]:
    """What is wrong with a checkpoint, by the loading info of transformers."""
    missing = [key for key in report["missing_keys"] if not {*optional, *BUFFERS} & set(key.split("."))]
    unexpected = [key for key in report["unexpected_keys"] if missing or not _is_unused(model, key)]
    faults = [
        f"{len(keys)} {what} ({', '.join(sorted(keys)[:NAMED_KEYS])}{', ..' if len(keys) > NAMED_KEYS else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    for key, found, expected in sorted(report["mismatched_keys"])[:NAMED_KEYS]:
        faults.append(f"{key} is {_shape(found)}, not {_shape(expected)}")
    return faults


def _is_unused(model: Any, key: str) -> bool:
    """Whether an unexpected weight is of a part that this model doesn't have: another task's head, or a buffer."""
    parts = key.split(".")
    body = getattr(model, model.base_model_prefix, model)
    modules = {name for part in (model, body) for name, _ in part.named_children()} | {
        model.base_model_prefix
    }
    return parts[-1] in BUFFERS or POOLER in parts or parts[0] not in modules


def _shape(sizes: Collection[int]) -> str:
    return " x ".join(map(str, sizes)) or "a scalar"
