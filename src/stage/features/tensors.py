"""Arrays in .safetensors files, read a few rows at a time.

Rows are read with `pread`, not through a memory map: of a data set that is larger than memory, a map keeps every page
that was ever looked at in the process, a read nothing but its result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from stage.errors import InputError
from stage.files import write_bytes

DTYPES = {"F16": np.float16, "F32": np.float32, "I32": np.int32, "I64": np.int64}


@dataclass(frozen=True, slots=True)
class _Place:
    dtype: npt.DTypeLike
    shape: tuple[int, ...]
    offset: int


class TensorFile:
    """An open .safetensors file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if it is not there or not whole."""
        self.path = path
        self._file = -1
        try:
            self._file = os.open(path, os.O_RDONLY)
            length = int.from_bytes(os.pread(self._file, 8, 0), "little")
            size = os.fstat(self._file).st_size
            if not 2 <= length <= size - 8:
                raise ValueError("its header does not fit in it")
            header: dict[str, Any] = json.loads(os.pread(self._file, length, 8))
            self.metadata: dict[str, str] = header.pop("__metadata__", {})
            self._places = {name: _place(entry, 8 + length) for name, entry in header.items()}
            if any(8 + length + entry["data_offsets"][1] > size for entry in header.values()):
                raise ValueError("it ends before its data do")
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: is not a whole file of features ({error}); remove it") from None

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def read(self, name: str) -> npt.NDArray[Any]:
        """A whole array. Raises InputError if the file has none of this name."""
        if name not in self._places:
            raise InputError(f"{self.path}: has no {name}; it is not a file of features of this version")
        shape = self._places[name].shape
        return self.rows(name, 0, shape[0])

    def rows(self, name: str, start: int, end: int) -> npt.NDArray[Any]:
        """Rows `start` to `end` (not included) of an array."""
        place = self._places[name]
        shape = (max(0, min(end, place.shape[0]) - start), *place.shape[1:])
        width = prod(shape[1:]) * np.dtype(place.dtype).itemsize
        content = bytearray(shape[0] * width)
        if content:
            os.preadv(self._file, [content], place.offset + start * width)
        return np.frombuffer(content, place.dtype).reshape(shape)


def _place(entry: Mapping[str, Any], begin: int) -> _Place:
    return _Place(DTYPES[entry["dtype"]], tuple(entry["shape"]), begin + entry["data_offsets"][0])


def write_tensors(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays whole or not at all."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, save(contiguous, dict(metadata or {})))
