"""Detections of many clips in one JSON object, read a clip at a time.

The released file holds hundreds of megabytes; loaded whole it would take gigabytes.
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
from stage.types import Array

CHUNK = 1 << 22
PARSED_CLIPS = 256
"""Clips that are kept: about 100 KB each, since equal labels are one."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The regions of a clip, frame by frame, without features."""

    boxes: list[Array]
    """For each frame, (regions, 4) corners in pixels."""
    labels: list[tuple[str, ...]]

    @property
    def counts(self) -> list[int]:
        return [len(labels) for labels in self.labels]


class DetectionFile:
    """Clip -> its detections. The file is looked through once, and then read where it is asked for."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if it can't be read as one JSON object of clips."""
        self.path = path
        self.places = dict(_places(path))
        self._parsed = lru_cache(PARSED_CLIPS)(self._read)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: where things are, not what was read."""
        return {"path": self.path, "places": self.places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._parsed = lru_cache(PARSED_CLIPS)(self._read)

    def clip(self, name: str) -> Detected:
        """Raises InputError if the clip is not there or is not as it should be."""
        if name not in self.places:
            raise InputError(f"{self.path}: has no clip {name}")
        return self._parsed(name)

    def _read(self, name: str) -> Detected:
        start, end = self.places[name]
        with self.path.open("rb") as file:
            file.seek(start)
            return detected_from_json(json.loads(file.read(end - start)), f"{self.path}, clip {name}")


def detected_from_json(raw: Any, where: str) -> Detected:
    """`boxes` [frame][region] corners and `object` [frame][region] labels. Raises InputError if they disagree."""
    try:
        corners = np.array([box for frame in raw["boxes"] for box in frame], np.float32)
        if corners.size and corners.shape[1:] != (4,):
            raise ValueError(f"boxes are of shape {corners.shape[1:]}, not four corners")
        ends = np.cumsum([len(frame) for frame in raw["boxes"]], dtype=np.int64)
        boxes = np.split(corners.reshape(-1, 4), ends)[: len(ends)]
        labels = [tuple([intern(str(label)) for label in frame]) for frame in raw["object"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: boxes and object can't be read ({error})") from None
    if [len(b) for b in boxes] != [len(names) for names in labels]:
        raise InputError(f"{where}: boxes and labels of a frame differ in number")
    return Detected(boxes, labels)


def _places(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """The bytes that each value of a JSON object takes."""
    try:
        with path.open("rb") as file:
            yield from _Scanner(file).entries()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a JSON object of clips, or not whole ({error})") from None


class _Scanner:
    """Reads one JSON object piece by piece, without keeping its values."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.buffer = b""
        self.before = 0
        """Bytes of the file before the buffer."""

    def entries(self) -> Iterator[tuple[str, tuple[int, int]]]:
        mark, _, _ = self._next()
        if mark != b"{":
            raise ValueError("it does not begin with {")
        while True:
            key, _, _ = self._value()
            if self._next()[0] != b":":
                raise ValueError(f"no value for {key}")
            _, start, end = self._value()
            yield key, (start, end)
            mark = self._next()[0]
            if mark == b"}":
                return
            if mark != b",":
                raise ValueError(f"something else than a comma after {key}")

    def _fill(self) -> bool:
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
        """The next string or object, and where it lies."""
        self._skip_blanks()
        while True:
            # Latin-1 keeps one character a byte, so that positions are bytes; the structure of JSON is ASCII.
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
