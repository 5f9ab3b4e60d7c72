"""Resuming runs: settings and data are recorded, and must not have changed; broken checkpoints are set aside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.terminal import echo

SETTINGS, CHECKPOINTS = "settings.json", "checkpoints"
BEST_EPOCH, LAST_EPOCH, PREVIOUS_EPOCH = "best", "last", "previous"
"""Names of checkpoints; the previous epoch's takes the place of the last one's if that can't be read."""
SET_ASIDE = ".unreadable"
"""What the name of a checkpoint that can't be read is given at its end."""
RECORD = "record"
"""Key of a checkpoint under which a run keeps what it needs besides weights, see `checkpoints.Record`."""
DATA = "data"
"""Key of that record: name of a data set -> its fingerprint, part by part."""
RUN_SETTINGS = "settings"
"""Key of that record: the settings of the run."""
PARTS: Mapping[str, type] = {
    "epoch": int, "state_dict": dict, "loops": dict, "callbacks": dict,
    "optimizer_states": list, "lr_schedulers": list,
}  # fmt: skip
"""Keys that Lightning's checkpoints have, and the types of what is there."""
Settings = Mapping[str, Any]
Fingerprints = Mapping[str, Mapping[str, str]]
"""Name of a data set -> part of it, such as "questions" -> its hash."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The run in an output folder, as far as it got."""

    checkpoint: Path
    """Of the last finished epoch; once the run is started, the file exists only if there is one."""
    epochs: int = 0
    """Finished epochs that are resumed after."""
    record: Mapping[str, Any] | None = None
    """What the run recorded; None without a finished epoch, and in runs of earlier versions."""
    found: Path | None = None
    """The checkpoint that is resumed from: that of the last epoch, or of the one before it."""
    unreadable: Mapping[Path, str] = field(default_factory=dict)
    """Newer checkpoints that can't be used, and why."""


class _UnreadableError(Exception):
    """Why a file is no checkpoint of a run."""


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
    file -> settings; raises ValueError if it is invalid. A checkpoint that can't be read, or is of another run, is
    passed over. Raises InputError if there is a run with other settings or on other data, in which cases `advice`
    says what to do, or if settings or checkpoints there are of no run.
    """
    checkpoint = folder / CHECKPOINTS / f"{LAST_EPOCH}.ckpt"
    _check_ownership(folder, settings)
    present = [path for path in _of_last_epochs(checkpoint) if path.exists()]
    if not resume or not present:
        return EarlierRun(checkpoint)
    try:
        before = parse(read_json(folder / SETTINGS))
    except (InputError, ValueError):
        raise InputError(
            f"{folder}: contains a run of another version (see its {SETTINGS}); {advice}"
        ) from None
    if different := first_difference(before, settings, may_differ):
        raise InputError(f"{folder}: contains a run with other settings ({different}); {advice}")
    unreadable: dict[Path, str] = {}
    for path in present:
        try:
            loaded = _load(path, advice)
            record = loaded.get(RECORD)
            if record and (differs := _other_settings(record, settings, may_differ, parse)):
                raise _UnreadableError(f"is of another run: {differs}")
        except _UnreadableError as reason:
            unreadable[path] = str(reason)
            continue
        if record and (changed := changed_data(record[DATA], data)):
            raise InputError(
                f"{folder}: contains a run that began with other data ({changed}); restore them, {advice}"
            )
        return EarlierRun(checkpoint, int(loaded["epoch"]) + 1, record, path, unreadable)
    return EarlierRun(checkpoint, unreadable=unreadable)


def start_run(folder: Path, settings: Settings, run: EarlierRun) -> None:
    """Write the settings of a run, and set checkpoints aside that can't be read, each with a note.

    If it is not resumed, the checkpoints of the one before are removed.
    """
    then = "the run goes on from the epoch before" if run.epochs else "the run starts again"
    for path, reason in run.unreadable.items():
        aside = path.with_name(path.name + SET_ASIDE)
        os.replace(path, aside)
        echo(f"{path}: {reason}; it is kept as {aside.name}, and {then}", file=sys.stderr)
    if not run.epochs:
        for path in _checkpoints(folder):
            path.unlink()
    elif run.found is not None and run.found != run.checkpoint:
        if run.checkpoint not in run.unreadable:
            echo(f"{run.checkpoint}: is missing; the run goes on from the epoch before", file=sys.stderr)
        os.replace(run.found, run.checkpoint)
    write_json(folder / SETTINGS, settings)


def check_best(run: EarlierRun, advice: str) -> None:
    """Raises InputError if the checkpoint of a resumed run's best epoch, which can't be made again, can't be read."""
    best = run.checkpoint.with_stem(BEST_EPOCH)
    try:
        if run.epochs:
            _load(best, advice)
    except _UnreadableError as reason:
        raise InputError(f"{best}: {reason}, so the best epoch is lost; {advice}") from None


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
    names = (BEST_EPOCH, LAST_EPOCH, PREVIOUS_EPOCH)
    paths = [folder / CHECKPOINTS / f"{name}.ckpt" for name in names]
    return [path for path in paths if path.exists()]


def _of_last_epochs(checkpoint: Path) -> tuple[Path, Path]:
    """The checkpoint of the last epoch and that of the one before it, whether or not they exist."""
    return checkpoint, checkpoint.with_stem(PREVIOUS_EPOCH)


def _other_settings(
    record: Mapping[str, Any],
    now: Settings,
    may_differ: Collection[str],
    parse: Callable[[Settings], Settings],
) -> str:
    """Which setting of a checkpoint is not that of the run; "" if none is, or if it records none."""
    if RUN_SETTINGS not in record:  # of an earlier version
        return ""
    try:
        return first_difference(parse(record[RUN_SETTINGS]), now, may_differ)
    except (ValueError, AttributeError):
        return "its settings are of another version"


def _are_settings(path: Path, settings: Settings) -> bool:
    """Whether a file contains settings of such a run, which may be of another version."""
    try:
        content = read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and bool(content.keys() & settings.keys())


def _load(checkpoint: Path, advice: str) -> Mapping[str, Any]:
    """Raises _UnreadableError if it is no checkpoint of a run, InputError if the file can't be opened."""
    import torch

    try:
        with ZipFile(checkpoint) as archive:  # torch checks no sums of what it maps
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} is damaged")
        loaded = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)
    except OSError as error:
        raise InputError(f"{checkpoint}: can't be read ({error.strerror or error}); {advice}") from None
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split())[:80]
        raise _UnreadableError(f"can't be read as a checkpoint ({reason})") from None
    if not _is_of_a_run(loaded):
        raise _UnreadableError("is no checkpoint of a run")
    return loaded  # type: ignore[no-any-return]


def _is_of_a_run(loaded: Any) -> bool:
    if not isinstance(loaded, dict) or not all(isinstance(loaded.get(n), kind) for n, kind in PARTS.items()):
        return False
    record = loaded.get(RECORD)
    has_data = isinstance(record, dict) and isinstance(record.get(DATA), dict)
    return bool(loaded["epoch"] >= 0) and (record is None or has_data)


@contextmanager
def restoring(checkpoint: Path, pending: Callable[[], bool]) -> Iterator[None]:
    """While a run is restored from what looks like a checkpoint of a run, anything can be wrong with its content.

    pending: whether it has not been restored yet. Raises InputError naming the file in place of errors until then.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not checkpoint.exists() or not pending():
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise InputError(
            f"{checkpoint}: can't be restored ({reason}); remove it to resume from the epoch before, or start over "
            "with --no-resume"
        ) from None


def finished_epochs(checkpoint: Path) -> int:
    """The number of epochs that are kept. checkpoint: that of the last one."""
    for path in _of_last_epochs(checkpoint):
        try:
            return int(_load(path, "")["epoch"]) + 1
        except (_UnreadableError, InputError):
            continue
    return 0


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
