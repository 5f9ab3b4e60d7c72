"""The film that a clip's regions were detected in: recorded with them, and recognised later."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stage.errors import InputError
from stage.media.frame_folder import SUFFIXES, FrameFolder
from stage.media.video import Video, fingerprint


@dataclass(frozen=True, slots=True)
class FilmRecord:
    """The film, or folder of frame images, that a clip's regions were detected in, as it was then."""

    fingerprint: str
    """Of a film: see `stage.media.video.fingerprint`. Of a folder: a hash of its images' names and sizes, and of the
    content of the first, the middle and the last."""
    size: int
    """In bytes; of a folder: of all its images together."""
    modified: int
    """The time stamp in ns; of a folder: the sum of its own and those of its first, middle and last image."""
    frame_count: int
    """Numbered frames, 3 per second."""
    width: int
    """In pixels."""
    height: int

    def to_json(self) -> str:
        """For a file's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FilmRecord:
        """The inverse of `to_json`. Raises ValueError if it isn't a record."""
        raw = json.loads(text)
        if not isinstance(raw, dict) or not isinstance(raw.get("fingerprint"), str):
            raise ValueError("the record of its film can't be read")
        numbers = ("size", "modified", "frame_count", "width", "height")
        if any(type(raw.get(name)) is not int for name in numbers):
            raise ValueError("the record of its film can't be read")
        return cls(raw["fingerprint"], *(raw[name] for name in numbers))


def record_film(path: Path, opened: Video | FrameFolder) -> FilmRecord:
    """The record of a film, or folder of frame images, that is open. Raises InputError if it can't be read."""
    size, print_ = _size_and_fingerprint(path)
    return FilmRecord(print_, size, _modified(path), opened.frame_count, opened.width, opened.height)


def has_same_stamp(path: Path, record: FilmRecord) -> bool:
    """Whether a film has the recorded time stamp and, if it is a file, size: a glance that reads nothing.

    Raises InputError if there is none.
    """
    return _modified(path) == record.modified and (path.is_dir() or _stat(path).st_size == record.size)


def is_same_film(path: Path, record: FilmRecord) -> bool:
    """Whether a film is still the recorded one: by its size and time stamp, or else by its fingerprint.

    A film that was copied or renamed, and so has another time stamp, is still the same. Raises InputError if it can't
    be read.
    """
    if has_same_stamp(path, record):
        return True
    if path.is_file() and _stat(path).st_size != record.size:
        return False
    return _size_and_fingerprint(path) == (record.size, record.fingerprint)


def _size_and_fingerprint(path: Path) -> tuple[int, str]:
    if not path.is_dir():
        return _stat(path).st_size, fingerprint(path)
    names = _image_names(path)
    sizes = [_stat(path / name).st_size for name in names]
    digest = hashlib.sha256(json.dumps(list(zip(names, sizes, strict=True))).encode())
    for name in _spread(names):
        try:
            digest.update((path / name).read_bytes())
        except OSError as error:
            raise InputError(f"{path / name}: can't be read ({error.strerror}); check the path") from None
    return sum(sizes), digest.hexdigest()[:32]


def _modified(path: Path) -> int:
    """The time stamp. A new file in a folder changes that of the folder, but an image that is overwritten doesn't."""
    samples = [path / name for name in _spread(_image_names(path))] if path.is_dir() else []
    return sum(_stat(each).st_mtime_ns for each in (path, *samples))


def _image_names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if os.path.splitext(name)[1].lower() in SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: can't be read ({error.strerror}); check the path") from None


def _spread(names: Sequence[str]) -> list[str]:
    """The first, the middle and the last."""
    return [names[0], names[len(names) // 2], names[-1]] if names else []


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check the path") from None
