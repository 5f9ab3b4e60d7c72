"""HDF5 files of row vectors that stay open: one handle per file and process, and none that has changed since.

An entry of such a file can be anything: a group, texts, a link to another file, an array that declares more values
than the file holds. What is no array of row vectors of numbers, stored in the file itself, is refused before it is
read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EAGAIN, EWOULDBLOCK
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from stage.errors import InputError, first_line
from stage.features.checks import all_finite
from stage.features.store.tensor_file import FileIdentity, check_unchanged
from stage.types import Array

LOCKED = {EAGAIN, EWOULDBLOCK}
LARGEST_ARRAY = 2**30
"""Bytes (1 GiB) that an array may have, and a part of it that is unpacked at once: 300 frames with 100 regions of
2,048 values have 250 MB."""
WIDEST = 2**16
"""Values that a row vector may have."""
DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What h5py can raise for a damaged file."""


class Hdf5Files:
    """The HDF5 files that a process reads. Worker processes open them anew: handles can't be shared."""

    def __init__(self) -> None:
        self._identities: dict[Path, FileIdentity] = {}
        """The files as they were first opened, which worker processes are held to as well."""
        self._handles: dict[int, dict[Path, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_identities": self._identities, "_handles": {}}

    def names(self, path: Path) -> list[str]:
        """The names of a file's entries. Raises InputError if it can't be read."""
        with self._reading(path, str(path)) as file:
            return list(file)

    def has(self, path: Path, name: str) -> bool:
        """Whether a file has an entry of a name. Raises InputError if it can't be read."""
        with self._reading(path, str(path)) as file:
            return bool(file.id.links.exists(os.fsencode(name)))

    def array(self, path: Path, name: str) -> Any:
        """An array of row vectors (rows, D), of which nothing is read yet.

        Raises InputError if there is none of this name, or if it can't be read.
        """
        with self._reading(path, f"{path}, {name}") as file:
            return _checked(file, name)

    def rows(self, path: Path, array: Any, which: slice = slice(None), where: str = "") -> Array:
        """Rows of an array in float32. where: what they are, for messages.

        Raises InputError if they can't be read, or contain NaN or infinities.
        """
        where = where or f"{path}, {array.name.removeprefix('/')}"
        with self._reading(path, where), np.errstate(over="ignore"):  # float64 may become infinite
            rows: Array = array[which].astype(np.float32, copy=False)
        if not all_finite(rows):
            raise InputError(f"{where}: contains NaN or infinities; get the file again")
        return rows

    @contextmanager
    def _reading(self, path: Path, where: str) -> Iterator[Any]:
        """The open file. Raises InputError for errors of h5py, or if it isn't the file that was opened first."""
        handles = self._handles.setdefault(os.getpid(), {})
        if path not in handles:
            handles[path] = _opened(path)
            self._identities.setdefault(path, FileIdentity.of(path))
        check_unchanged(path, self._identities[path])
        try:
            yield handles[path]
        except DAMAGED as error:
            check_unchanged(path, self._identities[path])
            raise InputError(f"{where}: can't be read ({first_line(error)}); get the file again") from None
        check_unchanged(path, self._identities[path])


def _checked(file: Any, name: str) -> Any:
    """An entry of a file. Raises ValueError with the reason if it is no array of row vectors, or not in the file."""
    import h5py

    if file.id.links.get_info(os.fsencode(name)).type != h5py.h5l.TYPE_HARD:
        raise ValueError("it is a link, which isn't followed")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise ValueError("it is a group or a type, not an array")
    if found.is_virtual or found.external:
        raise ValueError("its values are in another file, which isn't read")
    shape, dtype = found.shape, found.dtype
    if shape is None or len(shape) != 2 or dtype.kind not in "fiu":
        raise ValueError(f"it is of shape {shape} and type {dtype}, but row vectors of numbers are (rows, D)")
    _check_size(found)
    return found


def _check_size(array: Any) -> None:
    """Raises ValueError if an array is too large, or declares more than the file holds."""
    size = array.dtype.itemsize
    declared, part = prod(array.shape) * size, prod(array.chunks or ()) * size
    if max(declared, part) > LARGEST_ARRAY or array.shape[1] > WIDEST:
        raise ValueError(
            f"its shape is {array.shape}; an array may have {LARGEST_ARRAY:,} bytes and vectors of {WIDEST:,} values"
        )
    if not array.id.get_create_plist().get_nfilters() and array.id.get_storage_size() < declared:
        raise ValueError(f"its shape is {array.shape}, but the file holds less of it")


def _opened(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        if error.errno in LOCKED:
            raise InputError(
                f"{path}: is in use by another program, which writes to it (HDF5 lock); run again when that is done"
            ) from None
        if error.errno is not None:
            raise InputError(
                f"{path}: can't be opened ({os.strerror(error.errno)}); check the path"
            ) from None
        raise InputError(f"{path}: is not a complete HDF5 file ({first_line(error)})") from None
    except DAMAGED as error:
        raise InputError(f"{path}: is not a complete HDF5 file ({first_line(error)})") from None
