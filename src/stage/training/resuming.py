"""Resuming runs: settings and data are recorded, and must not have changed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json, write_json

SETTINGS, CHECKPOINTS = "settings.json", "checkpoints"
BEST_EPOCH, LAST_EPOCH = "best", "last"
RECORD = "record"
"""Key of a checkpoint under which a run keeps what it needs besides weights, see `checkpoints.Record`."""
DATA = "data"
"""Key of that record: name of a data set -> its fingerprint, part by part."""
Settings = Mapping[str, Any]
Fingerprints = Mapping[str, Mapping[str, str]]
"""Name of a data set -> part of it, such as "questions" -> its hash."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The run in an output folder, as far as it got."""

    checkpoint: Path
    """Of the last finished epoch; the file exists only if there is one."""
    epochs: int = 0
    """Finished epochs that are resumed after."""
    record: Mapping[str, Any] | None = None
    """What the run recorded; None without a finished epoch, and in runs of earlier versions."""


def find_run(
    folder: Path,
    settings: Settings,
    data: Fingerprints,
    *,
    advice: str,
    resume: bool = True,
    may_differ: Collection[str] = (),
    parse: Callable[[Settings], Settings] = lambda content: content,
) -> EarlierRun:
    """What there is to resume in a folder: nothing without `resume`. Nothing is written.

    may_differ: settings that may change when a run is resumed, as "section.key". parse: the content of its settings
    file -> settings; raises ValueError if it is invalid. Raises InputError if there is a run with other settings or
    on other data, in which cases `advice` says what to do, or if settings or checkpoints there are of no run.
    """
    checkpoint = folder / CHECKPOINTS / f"{LAST_EPOCH}.ckpt"
    _check_ownership(folder, settings)
    if not resume or not checkpoint.exists():
        return EarlierRun(checkpoint)
    try:
        before = parse(read_json(folder / SETTINGS))
    except (InputError, ValueError):
        raise InputError(
            f"{folder}: contains a run of another version (see its {SETTINGS}); {advice}"
        ) from None
    if different := first_difference(before, settings, may_differ):
        raise InputError(f"{folder}: contains a run with other settings ({different}); {advice}")
    loaded = _load(checkpoint, advice)
    record = loaded.get(RECORD)
    if record is not None and (changed := changed_data(record[DATA], data)):
        raise InputError(
            f"{folder}: contains a run that began with other data ({changed}); restore them, {advice}"
        )
    return EarlierRun(checkpoint, int(loaded["epoch"]) + 1, record)


def start_run(folder: Path, settings: Settings, run: EarlierRun) -> None:
    """Write the settings of a run. If it is not resumed, the checkpoints of the one before are removed."""
    if not run.epochs:
        for path in _checkpoints(folder):
            path.unlink()
    write_json(folder / SETTINGS, settings)


def _check_ownership(folder: Path, settings: Settings) -> None:
    """Raises InputError if settings or checkpoints in a folder, which a run would replace, are of no run."""
    if (folder / SETTINGS).exists():
        if not _are_settings(folder / SETTINGS, settings):
            raise InputError(f"{folder / SETTINGS}: exists and is of no run; choose another output folder")
    elif foreign := _checkpoints(folder):
        raise InputError(
            f"{foreign[0]}: exists, but there is no {folder / SETTINGS} of a run; choose another output, or remove it"
        )


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run that exist."""
    paths = [folder / CHECKPOINTS / f"{name}.ckpt" for name in (BEST_EPOCH, LAST_EPOCH)]
    return [path for path in paths if path.exists()]


def _are_settings(path: Path, settings: Settings) -> bool:
    """Whether a file contains settings of such a run, which may be of another version."""
    try:
        content = read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and bool(content.keys() & settings.keys())


def _load(checkpoint: Path, advice: str) -> Mapping[str, Any]:
    import torch

    try:
        loaded = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)
        if not isinstance(loaded, dict) or not isinstance(loaded.get("epoch"), int):
            raise ValueError("it contains no epoch")
        return loaded
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{checkpoint}: can't be read as a checkpoint ({reason}); {advice}") from None


def finished_epochs(checkpoint: Path) -> int:
    """The number of epochs that were finished when a checkpoint was written; 0 if there is none."""
    return int(_load(checkpoint, "remove it")["epoch"]) + 1 if checkpoint.exists() else 0


def changed_data(before: Fingerprints, now: Fingerprints) -> str:
    """What of the data differs, as "questions, features of NAME"; "" if nothing does."""
    changes = []
    for name, fingerprint in now.items():
        known = before.get(name, {})
        parts = [part.replace("_", " ") for part, value in fingerprint.items() if known.get(part) != value]
        if parts:
            changes.append(f"{', '.join(parts)} of {name}")
    return "; ".join(changes)


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
