"""Runs that can be gone on with: what they were begun with is written down, and one of other settings is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json, write_json

SETTINGS, CHECKPOINTS = "settings.json", "checkpoints"
LAST = "last"
Settings = Mapping[str, Any]


def begin(
    folder: Path,
    settings: Settings,
    *,
    otherwise: str,
    without: Collection[str] = (),
    read: Callable[[Settings], Settings] = lambda content: content,
) -> Path:
    """Write FOLDER/settings.json; returns where the checkpoint of the last epoch is, if there is one to go on from.

    without: settings that may change, as "section.key"; read: from the file's content to settings, ValueError if it
    can't be. Raises InputError, with `otherwise` as what to do, if there is a checkpoint of other settings.
    """
    last = folder / CHECKPOINTS / f"{LAST}.ckpt"
    if last.exists():
        try:
            content = read_json(folder / SETTINGS)
            if not isinstance(content, dict):
                raise ValueError
            before = read(content)
        except (InputError, ValueError):
            raise InputError(
                f"{folder}: holds a run whose {SETTINGS} can't be read or are not of this version; {otherwise}"
            ) from None
        if different := difference(before, settings, without):
            raise InputError(f"{folder}: holds a run of other settings ({different}); {otherwise}")
    write_json(folder / SETTINGS, settings)
    return last


def finished_epochs(last: Path) -> int:
    """How many epochs were finished when a checkpoint was written; 0 if there is none."""
    if not last.exists():
        return 0
    import torch

    return int(torch.load(last, weights_only=True, map_location="cpu")["epoch"]) + 1


def difference(before: Settings, now: Settings, without: Collection[str] = ()) -> str:
    """The first setting that differs, in words; empty if none does. without: names, as "section.key"."""
    ours, theirs = dict(_flat(now)), dict(_flat(before))
    for key in sorted((ours.keys() | theirs.keys()) - set(without)):
        if ours.get(key) != theirs.get(key):
            return f"{key.replace('model.system.', 'model.')} was {theirs.get(key)}, now {ours.get(key)}"
    return ""


def _flat(content: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
