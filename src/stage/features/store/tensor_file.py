"""Arrays in .safetensors files, read a few rows at a time.

Rows are read with `pread`, not through a memory map: with a data set larger than memory, a map keeps every page
that was ever touched in the process, while a read keeps only its result.

A file that another process replaces, rewrites or removes after it was opened here is an error at the next read: its
rows would be elsewhere, and no array may mix two files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from stage.errors import InputError
from stage.features.checks import all_finite
from stage.io import write_bytes
from stage.types import Array

OPEN_FILES = 192
"""Most files open at once; some systems allow a process 256."""
DTYPES = {"F16": np.float16, "F32": np.float32, "I32": np.int32, "I64": np.int64}


class FileIdentity(NamedTuple):
    """What tells a file from another one of the same name, as far as its metadata do."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, file: Path | int) -> FileIdentity:
        """Of a path or a file descriptor. Raises OSError if there is no such file."""
        found = os.stat(file)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def check_unchanged(path: Path | str, opened: FileIdentity) -> None:
    """Raises InputError if a file is no longer the one that was opened. To be called after reading from it."""
    try:
        found = os.stat(path)
        if opened == (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns):
            return
        what = "was changed while it was in use"
    except OSError as error:
        what = f"was removed while it was in use ({error.strerror})"
    raise InputError(f"{path}: {what}; run the command again when nothing writes there")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An array of the file; its data begin at byte `offset`."""

    dtype: npt.DTypeLike
    shape: tuple[int, ...]
    offset: int
    length: int
    """In bytes."""


class TensorFile:
    """A .safetensors file. Only those read last are kept open: a data set has more than a process may open."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file can't be read or is not complete."""
        self.path, self._name = path, os.fspath(path)
        file = self._opened()
        self.identity = FileIdentity.of(file.number)
        try:
            self._read_header(file.number)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self.broken(f"{error.__class__.__name__}: {error}") from None
        check_unchanged(path, self.identity)

    def _read_header(self, file: int) -> None:
        length = int.from_bytes(os.pread(file, 8, 0), "little")
        begin, size = 8 + length, self.identity.size
        if not 2 <= length <= size - 8:
            raise ValueError("its header does not fit in it")
        header: dict[str, Any] = json.loads(os.pread(file, length, 8))
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        if not all(isinstance(text, str) for text in self.metadata.values()):
            raise ValueError("its metadata are not texts")
        self._entries = {name: _entry(raw, begin) for name, raw in header.items()}
        if begin + sum(entry.length for entry in self._entries.values()) != size:
            raise ValueError("it ends before its data do, or later")
        ends = [begin]
        for entry in sorted(self._entries.values(), key=lambda entry: (entry.offset, entry.length)):
            if entry.offset != ends[-1]:
                raise ValueError("its arrays overlap")
            ends.append(entry.offset + entry.length)

    def broken(self, what: str) -> InputError:
        """The error that says what is wrong with the file's content."""
        return InputError(
            f"{self.path}: is not a complete file of features ({what}); remove it and extract it again"
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array. Raises InputError if the file has none of this name."""
        return self._entry(name).shape

    def _opened(self) -> _OpenFile:
        try:
            return _open(self)
        except OSError as error:
            raise InputError(f"{self.path}: can't be read ({error.strerror}); check the path") from None

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise self.broken(f"it has no {name}")
        return self._entries[name]

    def read(self, name: str) -> npt.NDArray[Any]:
        """A whole array. Raises InputError if the file has none of this name."""
        return self._read(name, [(0, self.shape(name)[0])])

    def read_all(self, names: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
        """Several whole arrays by name. Raises InputError if the file lacks one."""
        arrays = {name: self._read_unchecked(name, [(0, self.shape(name)[0])]) for name in names}
        check_unchanged(self._name, self.identity)
        return arrays

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> tuple[list[Array], int | None]:
        """The rows `start` to `end`, excluding `end`, of an array for each of the ranges, in float32.

        Also the position of the first range that contains NaN or an infinity; None if all numbers are finite.
        """
        import torch

        stored = self._read(name, ranges)
        # numpy converts float16 one number at a time; torch is 15 times faster.
        rows: Array = torch.from_numpy(stored).float().numpy()
        ends = list(accumulate(end - start for start, end in ranges))
        arrays = [rows[first:end] for first, end in zip([0, *ends], ends, strict=False)]
        if all_finite(stored):
            return arrays, None
        return arrays, next(i for i, array in enumerate(arrays) if not all_finite(array))

    def _read(self, name: str, ranges: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
        rows = self._read_unchecked(name, ranges)
        check_unchanged(self._name, self.identity)
        return rows

    def _read_unchecked(self, name: str, ranges: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
        """The rows of all ranges, concatenated; adjacent ranges are read at once."""
        entry = self._entry(name)
        rows = np.empty((sum(end - start for start, end in ranges), *entry.shape[1:]), entry.dtype)
        width = prod(rows.shape[1:]) * rows.itemsize
        filled = 0
        file = self._opened()
        for start, end in _joined(ranges):
            target = rows[filled : filled + end - start]
            read = os.preadv(file.number, [target.data], entry.offset + start * width) if target.nbytes else 0
            if read != target.nbytes:
                check_unchanged(self._name, self.identity)
                raise self.broken("it ends before its data do")
            filled += end - start
        return rows


class _OpenFile:
    """A file descriptor that is closed with its last reference."""

    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


@lru_cache(OPEN_FILES)
def _open(file: TensorFile) -> _OpenFile:
    return _OpenFile(file.path)


def _joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same rows in the same order, in as few ranges as possible."""
    first = last = 0
    for start, end in ranges:
        if start != last:
            yield first, last
            first = start
        last = end
    yield first, last


def _entry(raw: Mapping[str, Any], begin: int) -> _Entry:
    dtype, shape, (first, end) = np.dtype(DTYPES[raw["dtype"]]), tuple(raw["shape"]), raw["data_offsets"]
    if not shape or any(type(number) is not int or number < 0 for number in (*shape, first, end)):
        raise ValueError("a shape or an offset is not a number")
    if prod(shape) * dtype.itemsize != end - first:
        raise ValueError("an array and its shape differ in size")
    return _Entry(dtype, shape, begin + first, end - first)


def write_tensors(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a .safetensors file, whole or not at all. Equal arrays and metadata make equal files."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = save(contiguous)  # its own metadata come in a random order
    length = int.from_bytes(content[:8], "little")
    header = {"__metadata__": dict(sorted((metadata or {}).items())), **json.loads(content[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays are aligned
    write_bytes(path, b"".join([len(text).to_bytes(8, "little"), text, memoryview(content)[8 + length :]]))
