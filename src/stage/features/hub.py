"""The hub of models: what of it lies on this machine, and downloads that never hang.

A model that was downloaded once is read from the hub's local cache, without asking the network. Where it isn't there,
the hub is asked for a few seconds; HF_HUB_OFFLINE is respected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stage.errors import InputError, first_line

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds to wait for the hub's first answer. Names that can't be looked up take longer to fail by themselves."""
CONFIG = "config.json"
WEIGHTS, INDEX = "*.safetensors", "*.safetensors.index.json"


def is_hub_name(spec: str) -> bool:
    """Whether a spec may be a model of the hub: owner/name, and no path."""
    parts = spec.split("/")
    return len(parts) == 2 and all(parts) and not spec.startswith((".", "~")) and not Path(spec).exists()


def downloaded(name: str) -> Path | None:
    """The folder of a model of the hub in its local cache; None if it isn't there, or not all of it.

    Complete are a configuration and weights in safetensors: all files of them that an index names.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except Exception:  # nothing of it is there, or it is no name
        return None
    if not (folder / CONFIG).is_file() or not any(folder.glob(WEIGHTS)):
        return None
    from stage.io import read_json

    for index in folder.glob(INDEX):
        try:
            parts = set(read_json(index)["weight_map"].values())
        except (InputError, LookupError, TypeError, AttributeError):
            return None
        if not all((folder / str(part)).is_file() for part in parts):
            return None
    return folder


def out_of_reach(name: str) -> str | None:
    """Why a model of the hub can't be downloaded now; None if it can. Returns after PATIENCE seconds at most."""
    from huggingface_hub import constants, model_info

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    return _in_time(lambda: model_info(name, timeout=PATIENCE))[1]


def configuration(name: str) -> Path:
    """The config.json of a model of the hub, from the local cache or else the network.

    Raises InputError if neither has it.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    if isinstance(cached := try_to_load_from_cache(name, CONFIG), str):
        return Path(cached)
    reason: str | None = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        path, reason = _in_time(lambda: hf_hub_download(name, CONFIG, etag_timeout=PATIENCE))
        if path:
            return Path(path)
    raise InputError(
        f"{name}: is neither a folder nor a model that was downloaded before, and the hub doesn't give it "
        f"({reason}); check the name and the network, or give a folder"
    )


def _in_time(call: Callable[[], T]) -> tuple[T | None, str | None]:
    """What a call returns, or else why it fails, within PATIENCE seconds: looking up an address can't be bounded."""
    results: list[T] = []
    reasons: list[str] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            reasons.append(first_line(error))

    for name in ("huggingface_hub.utils._http", "huggingface_hub.file_download"):  # they report every try
        logging.getLogger(name).setLevel(logging.ERROR)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if results:
        return results[0], None
    return None, reasons[0] if reasons else f"no answer within {PATIENCE:.0f} seconds"
