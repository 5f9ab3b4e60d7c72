"""Arrays in .safetensors files, read a few rows at a time.

Rows are read with `pread`, not through a memory map: with a data set larger than memory, a map keeps every page
that was ever touched in the process, while a read keeps only its result.
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
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save

from stage.errors import InputError
from stage.io import write_bytes
from stage.types import Array

OPEN_FILES = 192
"""Most files open at once; some systems allow a process 256."""
DTYPES = {"F16": np.float16, "F32": np.float32, "I32": np.int32, "I64": np.int64}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An array of the file; its data begin at byte `offset`."""

    dtype: npt.DTypeLike
    shape: tuple[int, ...]
    offset: int


class TensorFile:
    """A .safetensors file. Only those read last are kept open: a data set has more than a process may open."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file can't be read or is not complete."""
        self.path = path
        try:
            file = self._opened()
            length = int.from_bytes(os.pread(file.number, 8, 0), "little")
            size = os.fstat(file.number).st_size
            if not 2 <= length <= size - 8:
                raise ValueError("its header does not fit in it")
            header: dict[str, Any] = json.loads(os.pread(file.number, length, 8))
            self.metadata: dict[str, str] = header.pop("__metadata__", {})
            self._entries = {name: _entry(raw, 8 + length) for name, raw in header.items()}
            if any(8 + length + raw["data_offsets"][1] > size for raw in header.values()):
                raise ValueError("it ends before its data do")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: is not a complete file of features ({error}); remove it") from None

    def _opened(self) -> _OpenFile:
        try:
            return _open(self)
        except OSError as error:
            raise InputError(f"{self.path}: can't be read ({error.strerror})") from None

    def read(self, name: str) -> npt.NDArray[Any]:
        """A whole array. Raises InputError if the file has none of this name."""
        if name not in self._entries:
            raise InputError(f"{self.path}: has no {name}; it is not a file of features of this version")
        return self._read(name, [(0, self._entries[name].shape[0])])

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[Array]:
        """The rows `start` to `end`, excluding `end`, of an array for each of the ranges, in float32."""
        # numpy converts float16 one number at a time; torch is 15 times faster.
        rows: Array = torch.from_numpy(self._read(name, ranges)).float().numpy()
        ends = list(accumulate(end - start for start, end in ranges))
        return [rows[first:end] for first, end in zip([0, *ends], ends, strict=False)]

    def _read(self, name: str, ranges: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
        """The rows of all ranges, concatenated; adjacent ranges are read at once."""
        entry = self._entries[name]
        rows = np.empty((sum(end - start for start, end in ranges), *entry.shape[1:]), entry.dtype)
        width = prod(rows.shape[1:]) * rows.itemsize
        filled = 0
        file = self._opened()
        for start, end in _joined(ranges):
            target = rows[filled : filled + end - start]
            read = os.preadv(file.number, [target.data], entry.offset + start * width) if target.nbytes else 0
            if read != target.nbytes:
                raise InputError(f"{self.path}: ends before its data do; remove it and extract it again")
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
    return _Entry(DTYPES[raw["dtype"]], tuple(raw["shape"]), begin + raw["data_offsets"][0])


def write_tensors(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a .safetensors file, whole or not at all."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, save(contiguous, dict(metadata or {})))
