"""Resuming runs: their settings are stored, and must not have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json, write_json

SETTINGS, CHECKPOINTS = "settings.json", "checkpoints"
LAST_EPOCH = "last"
Settings = Mapping[str, Any]


def open_run(
    folder: Path,
    settings: Settings,
    *,
    advice: str,
    may_differ: Collection[str] = (),
    parse: Callable[[Settings], Settings] = lambda content: content,
) -> Path:
    """Write FOLDER/settings.json; returns the path of the last epoch's checkpoint, which exists if there is one.

    may_differ: settings that may change when a run is resumed, as "section.key". parse: the file's content ->
    settings; raises ValueError if it is invalid. Raises InputError if there is a checkpoint with other settings, or
    another file of that name; the message ends with `advice` in the first case.
    """
    last_checkpoint = folder / CHECKPOINTS / f"{LAST_EPOCH}.ckpt"
    if last_checkpoint.exists():
        try:
            content = read_json(folder / SETTINGS)
            if not isinstance(content, dict):
                raise ValueError
            before = parse(content)
        except (InputError, ValueError):
            raise InputError(
                f"{folder}: contains a run whose {SETTINGS} can't be read or is of another version; {advice}"
            ) from None
        if different := first_difference(before, settings, may_differ):
            raise InputError(f"{folder}: contains a run with other settings ({different}); {advice}")
    elif (folder / SETTINGS).exists() and not _are_settings(folder / SETTINGS, settings):
        raise InputError(f"{folder / SETTINGS}: exists and is of no run; choose another output folder")
    write_json(folder / SETTINGS, settings)
    return last_checkpoint


def _are_settings(path: Path, settings: Settings) -> bool:
    """Whether a file contains settings of such a run, which may be of another version: editors use the name too."""
    try:
        content = read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and bool(content.keys() & settings.keys())


def finished_epochs(checkpoint: Path) -> int:
    """The number of epochs that were finished when a checkpoint was written; 0 if there is none."""
    if not checkpoint.exists():
        return 0
    import torch

    return int(torch.load(checkpoint, weights_only=True, map_location="cpu")["epoch"]) + 1


def first_difference(before: Settings, now: Settings, ignored: Collection[str] = ()) -> str:
    """The first setting that differs, as "KEY was OLD, now NEW"; "" if none does. ignored: keys, as "section.key"."""
    old, new = dict(_flatten(before)), dict(_flatten(now))
    for key in sorted((new.keys() | old.keys()) - set(ignored)):
        if new.get(key) != old.get(key):
            return f"{key.replace('model.system.', 'model.')} was {old.get(key)}, now {new.get(key)}"
    return ""


def _flatten(content: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as ("section.key", value)."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
