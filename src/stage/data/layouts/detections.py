"""Detections of many clips in one JSON object, read one clip at a time.

The released file has hundreds of megabytes; parsed as a whole it would take gigabytes of memory. So it is scanned
once for the bytes of each clip, which are parsed when they are needed. Stream parsers such as ijson don't give
positions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO

import numpy as np

from stage.errors import InputError
from stage.features.store.tensor_file import FileIdentity, check_unchanged
from stage.io import parse_json
from stage.types import Array

CHUNK = 1 << 22
"""Bytes read at once while scanning."""
LARGEST_CLIP = 2**28
"""Bytes (256 MiB) that the detections of a clip may have, or what follows them up to the next."""
PARSED_CLIPS = 256
"""Parsed clips kept in memory: about 100 KB each, since equal labels share one string."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The detections of a clip, frame by frame, without features."""

    boxes: list[Array]
    """One array (regions, 4) per frame: corners in pixels."""
    labels: list[tuple[str, ...]]
    """For each frame, one label per region."""

    @property
    def counts(self) -> list[int]:
        """Number of regions of each frame."""
        return [len(labels) for labels in self.labels]


class DetectionFile:
    """Clip -> its detections. The file is scanned once and then read clip by clip."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file can't be read as one JSON object of clips."""
        self.path = path
        self.byte_ranges, self._identity = _scanned(path)
        self._parsed = lru_cache(PARSED_CLIPS)(self._read)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: without the parsed clips."""
        return {"path": self.path, "byte_ranges": self.byte_ranges, "_identity": self._identity}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._parsed = lru_cache(PARSED_CLIPS)(self._read)

    def clip(self, name: str) -> Detected:
        """The detections of a clip.

        Raises InputError if the file has none, they can't be read, or the file has changed since it was scanned.
        """
        if name not in self.byte_ranges:
            raise InputError(f"{self.path}: has no clip {name}")
        return self._parsed(name)

    def _read(self, name: str) -> Detected:
        start, end = self.byte_ranges[name]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                raw = file.read(end - start)
        except OSError as error:
            raise InputError(f"{self.path}: can't be read ({error.strerror}); check the path") from None
        check_unchanged(self.path, self._identity)
        where = f"{self.path}, clip {name}"
        return detected_from_json(parse_json(raw, where), where)


def detected_from_json(raw: Any, where: str) -> Detected:
    """Detections of a clip from `boxes` [frame][region], corners in pixels, and `object` [frame][region], labels.

    Raises InputError, beginning with `where`, if they can't be read or disagree.
    """
    try:
        with np.errstate(over="ignore"):  # what float32 can't hold is found below
            corners = np.array([box for frame in raw["boxes"] for box in frame], np.float32)
        if corners.size and corners.shape[1:] != (4,):
            raise ValueError(f"boxes are of shape {corners.shape[1:]}, not four corners")
        ends = np.cumsum([len(frame) for frame in raw["boxes"]], dtype=np.int64)
        if not np.isfinite(corners).all():
            raise ValueError("a box is not finite")
        boxes = np.split(corners.reshape(-1, 4), ends)[: len(ends)]
        labels = [tuple([intern(str(label)) for label in frame]) for frame in raw["object"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: boxes and object can't be read ({error})") from None
    if [len(b) for b in boxes] != [len(names) for names in labels]:
        raise InputError(f"{where}: boxes and labels of a frame differ in number")
    return Detected(boxes, labels)


def _scanned(path: Path) -> tuple[dict[str, tuple[int, int]], FileIdentity]:
    """The key of each entry of a JSON object, with the start and end of its value, and which file they are of."""
    ranges: dict[str, tuple[int, int]] = {}
    try:
        with path.open("rb") as file:
            identity = FileIdentity.of(file.fileno())
            for key, found in _Scanner(file).entries():
                if key in ranges:
                    raise ValueError(f"{key} is there twice")
                ranges[key] = found
        check_unchanged(path, identity)
        return ranges, identity
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a JSON object of clips, or is incomplete ({error})") from None


class _Scanner:
    """Reads one JSON object chunk by chunk, without keeping its values."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.buffer = b""
        self.before = 0
        """Bytes of the file before the buffer."""

    def entries(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Each key with the bytes of its value: start and end (excluded)."""
        mark, _, _ = self._next()
        if mark != b"{":
            raise ValueError("it does not begin with {")
        while True:
            key, _, _ = self._value()
            if not isinstance(key, str):
                raise ValueError(f"{key} is no name of a clip")
            if self._next()[0] != b":":
                raise ValueError(f"no value for {key}")
            _, start, end = self._value()
            yield key, (start, end)
            mark = self._next()[0]
            if mark == b"}":
                self._check_end()
                return
            if mark != b",":
                raise ValueError(f"no comma after the value of {key}")

    def _check_end(self) -> None:
        while not self.buffer.strip():
            self._take(len(self.buffer))
            if not self._fill():
                return
        raise ValueError("it goes on after its end")

    def _fill(self) -> bool:
        if len(self.buffer) > LARGEST_CLIP:
            raise ValueError(f"an entry has more than {LARGEST_CLIP:,} bytes")
        more = self.file.read(max(CHUNK, len(self.buffer)))
        self.buffer += more
        return bool(more)

    def _take(self, count: int) -> None:
        self.buffer = self.buffer[count:]
        self.before += count

    def _skip_blanks(self) -> None:
        while True:
            self._take(len(self.buffer) - len(self.buffer.lstrip()))
            if self.buffer:
                return
            if not self._fill():
                raise ValueError("it ends too early")

    def _next(self) -> tuple[bytes, int, int]:
        self._skip_blanks()
        mark = self.buffer[:1]
        self._take(1)
        return mark, self.before - 1, self.before

    def _value(self) -> tuple[Any, int, int]:
        """The next string or object, and its start and end in the file."""
        self._skip_blanks()
        while True:
            # Latin-1 has one character per byte, so that positions are bytes; the syntax of JSON is ASCII.
            text = self.buffer.decode("latin-1")
            try:
                value, length = json.JSONDecoder().raw_decode(text)
            except json.JSONDecodeError:
                if not self._fill():
                    raise
                continue
            start = self.before
            if isinstance(value, str):
                value = json.loads(self.buffer[:length])
            self._take(length)
            return value, start, start + length
