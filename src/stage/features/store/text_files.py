"""Word vectors of texts in files of some thousand texts each, found by the texts' keys.

Each file has one array `vectors` (words, dim) in float16, and in its metadata the `keys`, the `lengths` (numbers of
words), a digest of `vectors`, and the `digest` of these three; files of earlier versions lack both digests. Keys and
lengths are held against theirs when they are read, vectors by `check_digests` only. Other processes may add files at
any time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.features.checks import first_unusable
from stage.features.store.tensor_file import TensorFile, write_tensors
from stage.types import Array

SUFFIX = ".safetensors"
OLD, SEALED = {"keys", "lengths"}, {"keys", "lengths", "vectors", "digest"}
"""Names of the metadata, in files of earlier versions and now."""
CLOCK_STEP = 2.0
"""Seconds, more than file systems round time stamps by: what was changed that recently may change again unseen."""


class _TextRows(NamedTuple):
    """The rows of a file that are a text's word vectors: `start` to `end`, excluding `end`."""

    file: TensorFile
    start: int
    end: int


class TextFiles:
    """Key -> the word vectors of a text, in all files of a folder."""

    def __init__(self, folder: Path, dim: int) -> None:
        """folder: need not exist; dim: size of a word's vector."""
        self.folder = folder
        self.dim = dim
        self._rows: dict[str, _TextRows] = {}
        self._files: set[str] = set()
        self._seen: int | None = None
        """The folder's time stamp when it was listed; None if it may have changed since."""
        self._indexing = Lock()

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def put(self, vectors: Mapping[str, Array]) -> Path | None:
        """Write word vectors (words, dim) by their keys to a new file. Returns its path; None for no vectors.

        Raises InputError naming a text whose vectors contain NaN or values that float16 can't hold.
        """
        if not vectors:
            return None
        keys = list(vectors)
        if (bad := first_unusable(vectors.values())) is not None:
            raise InputError(
                f"{self.folder}: word vectors of {keys[bad]!r} contain NaN or values that float16 can't hold, and "
                "are not stored"
            )
        metadata = {"keys": json.dumps(keys), "lengths": json.dumps([len(v) for v in vectors.values()])}
        words = np.concatenate(list(vectors.values())).astype(np.float16)
        if words.shape[1:] != (self.dim,):
            raise InputError(f"{self.folder}: takes vectors of {self.dim} values, not {words.shape[1:]}")
        metadata["vectors"] = _hash(words)
        metadata["digest"] = _digest_of(metadata)
        # For the order of the files: writers may see the same number, so their names are random too.
        number = len(list(self.folder.glob(f"*{SUFFIX}")))
        path = self.folder / f"{number:05d}-{token_hex(8)}{SUFFIX}"
        write_tensors(path, {"vectors": words}, metadata)
        with self._indexing:
            self._add(path)
        return path

    def read(self, keys: Iterable[str]) -> list[Array]:
        """The word vectors of each text, (words, dim).

        Raises KeyError for a text that is not stored, and InputError naming one with NaN or an infinity.
        """
        vectors: list[Array] = []
        wanted = list(keys)
        rows = [self._rows.get(key) or self._rows_of(key) for key in wanted]
        for file, group in groupby(rows, key=attrgetter("file")):
            read, bad = file.read_ranges("vectors", [(text.start, text.end) for text in group])
            if bad is not None:
                raise InputError(
                    f"{file.path}: word vectors of {wanted[len(vectors) + bad]!r} contain NaN or infinities; remove "
                    "the file and extract it again"
                )
            vectors += read
        return vectors

    def check_digests(self) -> None:
        """Raises InputError if vectors, all of which are read, are not those that were written."""
        self._look_for_files()
        for file in {id(rows.file): rows.file for rows in self._rows.values()}.values():
            if "vectors" in file.metadata and _hash(file.read("vectors")) != file.metadata["vectors"]:
                raise file.broken("vectors differ from those that were written")

    def _rows_of(self, key: str) -> _TextRows:
        rows = self._find(key)
        if rows is None:
            raise KeyError(key)
        return rows

    def _find(self, key: str) -> _TextRows | None:
        """The rows of a text. Files that other processes have added since are read only if it isn't known yet."""
        rows = self._rows.get(key)
        if rows is None:
            self._look_for_files()
            rows = self._rows.get(key)
        return rows

    def _look_for_files(self) -> None:
        """Add the files that are new in the folder, unless it has not changed since it was last listed."""
        with self._indexing:
            try:
                changed = self.folder.stat().st_mtime_ns
            except OSError:
                return
            if changed == self._seen:
                return
            now = time.time()
            for path in sorted(self.folder.glob(f"*{SUFFIX}")):
                if path.name not in self._files:
                    self._add(path)
            self._seen = changed if now - changed / 1e9 > CLOCK_STEP else None

    def _add(self, path: Path) -> None:
        file = TensorFile(path)
        try:
            keys, lengths = (json.loads(file.metadata[name]) for name in ("keys", "lengths"))
            _check(file, keys, lengths, self.dim)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise file.broken(f"{error.__class__.__name__}: {error}") from None
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        for key, start, end in zip(keys, [0, *ends], ends, strict=False):
            self._rows[key] = _TextRows(file, start, end)
        self._files.add(path.name)


def _check(file: TensorFile, keys: object, lengths: object, dim: int) -> None:
    """Raises ValueError if the texts of a file are not those of its vectors."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its keys are not texts")
    if not isinstance(lengths, list) or any(type(length) is not int or length < 0 for length in lengths):
        raise ValueError("its lengths are not numbers")
    if len(keys) != len(lengths) or file.shape("vectors") != (sum(lengths), dim):
        raise ValueError(f"its vectors are of shape {file.shape('vectors')}, not {(sum(lengths), dim)}")
    names = file.metadata.keys()
    if names != OLD and (names != SEALED or file.metadata["digest"] != _digest_of(file.metadata)):
        raise ValueError("its keys differ from what was written")


def _digest_of(metadata: Mapping[str, str]) -> str:
    sealed = [metadata[name] for name in ("keys", "lengths", "vectors")]
    return hashlib.sha256(json.dumps(sealed).encode()).hexdigest()[:32]


def _hash(vectors: npt.NDArray[Any]) -> str:
    return hashlib.sha256(f"{vectors.shape}".encode() + vectors.tobytes()).hexdigest()[:32]
