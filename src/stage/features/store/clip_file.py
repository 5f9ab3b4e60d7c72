"""The regions of a clip's frames in a file: written as a whole, read for some frames at a time.

Arrays: `frames` and `counts` (numbered frames and their numbers of regions), and one row per region in `boxes`,
`scores`, `features` (float16) and `labels` (positions in the names of the metadata). Metadata: `labels`; `film`, the
record of the film, where there is one; `features`, a digest of the features; `digest`, of everything else but the
film; `seal`, of both and the film. Files of earlier versions have `labels` alone.

What is read with a file is held against its digests; features are held against theirs by `check_digest` only, which
reads all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.features.checks import first_unusable
from stage.features.store.film_record import FilmRecord
from stage.features.store.tensor_file import TensorFile, write_tensors
from stage.types import MODEL_STRIDE, Array, Regions

TABLES = ("frames", "counts", "boxes", "scores", "labels")
DTYPES = {
    "frames": np.int64,
    "counts": np.int64,
    "boxes": np.float32,
    "scores": np.float32,
    "labels": np.int32,
}
SEALED = {"labels", "features", "digest", "seal"}
SHOWN_FRAMES = 5


class ClipHeader(NamedTuple):
    """What a clip's file says about its regions, without reading them."""

    digest: str | None
    """Of the regions; None in files of earlier versions."""
    film: FilmRecord | None
    """The film that they were detected in; None if that is not recorded."""

    @classmethod
    def read(cls, path: Path) -> ClipHeader:
        """Raises InputError if the file can't be read, or its header is damaged."""
        return cls.of(TensorFile(path))

    @classmethod
    def of(cls, file: TensorFile) -> ClipHeader:
        """Raises InputError if the header is damaged."""
        names = file.metadata.keys()
        if names <= {"labels"}:
            return cls(None, None)
        if names - {"film"} != SEALED or file.metadata["seal"] != _seal_of(file.metadata):
            raise file.broken("its header differs from what was written")
        try:
            film = FilmRecord.from_json(file.metadata["film"]) if "film" in names else None
        except (ValueError, RecursionError) as error:
            raise file.broken(str(error)) from None
        return cls(file.metadata["digest"], film)


class StoredRegions(Mapping[int, Regions]):
    """Numbered frame -> its regions. Features are read on access; boxes, scores and labels are kept in memory."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file can't be read, or its content is damaged."""
        self.file = TensorFile(path)
        tables = self.file.read_all(TABLES)
        self._boxes, self._scores, self._labels = tables["boxes"], tables["scores"], tables["labels"]
        self.header = ClipHeader.of(self.file)
        labels, features = (self.file.metadata.get(name, "") for name in ("labels", "features"))
        if self.header.digest not in (None, _digest_of(labels, features, tables)):
            raise self.file.broken("its content differs from what was written")
        try:
            self._label_names: list[str] = json.loads(labels or "[]")
            _check_tables(tables, self.file.shape("features"), self._label_names)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise self.file.broken(f"{error.__class__.__name__}: {error}") from None
        self._rows = {frame: i for i, frame in enumerate(tables["frames"].tolist())}
        self._starts = [0, *np.cumsum(tables["counts"]).tolist()]

    def digest(self) -> str:
        """A hash of the regions; for files of earlier versions, of everything but their features."""
        metadata = {"labels": "", "features": str(self.file.shape("features")), **self.file.metadata}
        return self.header.digest or _digest_of(
            metadata["labels"], metadata["features"], self.file.read_all(TABLES)
        )

    @property
    def region_dim(self) -> int:
        """Size of a region's feature vector."""
        return self.file.shape("features")[1]

    def at(self, frames: Iterable[int]) -> dict[int, Regions]:
        """The regions of several frames, read at once. Frames that are not stored are omitted.

        Raises InputError naming the first frame whose features contain NaN or an infinity.
        """
        stored = [frame for frame in frames if frame in self._rows]
        ranges = [(self._starts[row], self._starts[row + 1]) for row in map(self._rows.__getitem__, stored)]
        features, bad = self.file.read_ranges("features", ranges)
        if bad is not None:
            raise InputError(
                f"{self.file.path}: features of frame {stored[bad]} contain NaN or infinities; remove the file and "
                "extract it again"
            )
        return {
            frame: Regions(
                self._boxes[start:end], self._scores[start:end], vectors, self._labels_of(start, end)
            )
            for frame, (start, end), vectors in zip(stored, ranges, features, strict=True)
        }

    def missing(self, frames: Iterable[int]) -> list[int]:
        """Those of the frames that are not stored, which no detector has seen."""
        return [frame for frame in frames if frame not in self._rows]

    def check_digest(self) -> None:
        """Raises InputError if the features, all of which are read, are not those that were written."""
        if self.header.digest and _hash(self.file.read("features")) != self.file.metadata["features"]:
            raise self.file.broken("features differ from those that were written")

    def _labels_of(self, start: int, end: int) -> tuple[str, ...]:
        if not self._label_names:
            return ()
        return tuple([self._label_names[i] for i in self._labels[start:end].tolist()])

    def __getitem__(self, frame: int) -> Regions:
        return self.at([frame])[frame]

    def __contains__(self, frame: object) -> bool:
        return frame in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)


def write_clip(path: Path, frames: Mapping[int, Regions], dim: int, film: FilmRecord | None) -> None:
    """Write the regions of numbered frames. dim: size of a feature vector.

    Raises InputError if the file can't be written, or regions contain NaN or values that float16 can't hold.
    """
    # The frames of a question are equal modulo the stride: next to each other they are one read.
    numbers = sorted(frames, key=lambda frame: (frame % MODEL_STRIDE, frame))
    regions = [frames[number] for number in numbers]
    _check_usable(path, numbers, regions)
    labels = [label for r in regions for label in (r.labels or ("",) * len(r))]
    names = sorted(set(labels)) if any(labels) else []
    number_of = {label: i for i, label in enumerate(names)}
    tables: dict[str, npt.NDArray[Any]] = {
        "frames": np.array(numbers, np.int64),
        "counts": np.array([len(r) for r in regions], np.int64),
        "boxes": _join([r.boxes for r in regions], 4).astype(np.float32),
        "scores": _join([r.scores[:, None] for r in regions], 1)[:, 0].astype(np.float32),
        "labels": np.array([number_of.get(label, 0) for label in labels], np.int32),
    }
    features = _join([r.features for r in regions], dim).astype(np.float16)
    if features.shape[1:] != (dim,):
        raise InputError(f"{path}: takes features of {dim} values, not {features.shape[1:]}")
    metadata = {"labels": json.dumps(names), "features": _hash(features)}
    metadata["digest"] = _digest_of(metadata["labels"], metadata["features"], tables)
    if film is not None:
        metadata["film"] = film.to_json()
    metadata["seal"] = _seal_of(metadata)
    write_tensors(path, {**tables, "features": features}, metadata)


def _check_usable(path: Path, numbers: Sequence[int], regions: Sequence[Regions]) -> None:
    for what, arrays in (("features", [r.features for r in regions]), ("boxes", [r.boxes for r in regions])):
        if (bad := first_unusable(arrays)) is not None:
            raise InputError(
                f"{path}: {what} of frame {numbers[bad]} contain NaN or values that float16 can't hold, and are not "
                "stored"
            )


def _check_tables(
    tables: Mapping[str, npt.NDArray[Any]], features: tuple[int, ...], label_names: object
) -> None:
    """Raises ValueError if arrays don't belong together."""
    frames, counts, labels = tables["frames"], tables["counts"], tables["labels"]
    rows = len(labels)
    shapes = {"frames": (len(counts),), "counts": (len(counts),), "boxes": (rows, 4), "scores": (rows,)}
    if any(tables[name].dtype != dtype for name, dtype in DTYPES.items()) or len(features) != 2:
        raise ValueError("an array is of another type")
    if features[0] != rows or any(tables[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays differ in length")
    if labels.ndim != 1 or counts.min(initial=0) < 0 or counts.max(initial=0) > rows or counts.sum() != rows:
        raise ValueError("its frames have another number of regions")
    if len(set(frames.tolist())) != len(frames):
        raise ValueError("a frame is there twice")
    if not isinstance(label_names, list) or not all(isinstance(name, str) for name in label_names):
        raise ValueError("the names of its labels can't be read")
    if label_names and not (labels.min(initial=0) >= 0 and labels.max(initial=0) < len(label_names)):
        raise ValueError("a label has no name")
    if not (np.isfinite(tables["boxes"]).all() and np.isfinite(tables["scores"]).all()):
        raise ValueError("boxes or scores are not finite")


def _digest_of(labels: str, features: str, tables: Mapping[str, npt.NDArray[Any]]) -> str:
    """labels: their names as JSON; features: their digest"""
    digest = hashlib.sha256(json.dumps([labels, features]).encode())
    for name in TABLES:
        digest.update(f"{name} {tables[name].shape}".encode())
        digest.update(tables[name].tobytes())
    return digest.hexdigest()[:32]


def _seal_of(metadata: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps([metadata["digest"], metadata.get("film")]).encode()).hexdigest()[:32]


def _hash(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()[:32]


def _join(arrays: Sequence[Array], width: int) -> npt.NDArray[np.float32]:
    return np.concatenate(arrays) if arrays else np.zeros((0, width), np.float32)


def shown(frames: Sequence[int]) -> str:
    """Numbered frames for a message, shortened: "frame 7", "frames 7, 13 and 40 more"."""
    first = ", ".join(map(str, frames[:SHOWN_FRAMES]))
    more = f" and {len(frames) - SHOWN_FRAMES} more" if len(frames) > SHOWN_FRAMES else ""
    return f"frame {first}" if len(frames) == 1 else f"frames {first}{more}"
