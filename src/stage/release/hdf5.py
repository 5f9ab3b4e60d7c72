"""HDF5 files that stay open: one handle per file and process, and no file that has changed since it was opened."""

from __future__ import annotations

import os
from errno import EAGAIN, EWOULDBLOCK
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.features.store.tensor_file import FileIdentity, check_unchanged

LOCKED = {EAGAIN, EWOULDBLOCK}


class Hdf5Files:
    """The HDF5 files that a process reads. Worker processes open them anew: handles can't be shared."""

    def __init__(self) -> None:
        self._identities: dict[Path, FileIdentity] = {}
        """The files as they were first opened, which worker processes are held to as well."""
        self._handles: dict[int, dict[Path, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_identities": self._identities, "_handles": {}}

    def file(self, path: Path) -> Any:
        """The open file. Raises InputError if it can't be opened, or is no longer the one that was opened first."""
        handles = self._handles.setdefault(os.getpid(), {})
        if path not in handles:
            handles[path] = _opened(path)
            self._identities.setdefault(path, FileIdentity.of(path))
        check_unchanged(path, self._identities[path])
        return handles[path]

    def read(self, path: Path, key: str, which: Any = ()) -> npt.NDArray[np.floating]:
        """An array, or the part of it that `which` selects. Raises InputError if it can't be read."""
        file = self.file(path)
        try:
            rows: npt.NDArray[np.floating] = file[key][which]
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            check_unchanged(path, self._identities[path])
            raise InputError(f"{path}, {key}: can't be read ({error}); get the file again") from None
        check_unchanged(path, self._identities[path])
        return rows


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
        raise InputError(f"{path}: is not a complete HDF5 file ({error})") from None
