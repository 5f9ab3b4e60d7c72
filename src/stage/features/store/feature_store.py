"""Features of many clips in a folder, written by several processes.

A store is a folder, so that several processes can write to it, an interrupted extraction is resumed from the files
that exist, and a killed process can't damage it: every file is written whole or not at all (`stage.io`).

    attributes.json             which encoders the features come from
    clips/NAME.safetensors      the regions of a clip's frames, features in float16
    texts/NAME.safetensors      word vectors of some thousand texts, in float16

Features are read when they are requested, so memory does not grow with the number of clips.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.tensor_file import TensorFile, write_tensors
from stage.io import read_json, write_json
from stage.types import MODEL_STRIDE, Array, Clip, Question, Regions

FORMAT = 2
OPEN_CLIPS = 128
"""Most clips whose boxes, scores and labels are kept in memory."""
SUFFIX = ".safetensors"


def question_key(qid: int) -> str:
    """The key of the word vectors of a question's text."""
    return f"{qid}_q"


def answer_key(qid: int, candidate: int) -> str:
    """The key of the word vectors of a candidate answer."""
    return f"{qid}_a{candidate}"


def question_keys(question: Question) -> list[str]:
    """The keys of a question's text and of its candidate answers."""
    return [question_key(question.qid), *(answer_key(question.qid, k) for k in range(len(question.answers)))]


def sentence_key(clip: str, number: int) -> str:
    """The key of the word vectors of a subtitle sentence."""
    return f"{clip}/{number}"


class _TextRows(NamedTuple):
    """The rows of a file that are a text's word vectors: `start` to `end`, excluding `end`."""

    file: TensorFile
    start: int
    end: int


class StoredRegions(Mapping[int, Regions]):
    """Numbered frame -> its regions. Features are read on access; boxes, scores and labels are kept in memory."""

    def __init__(self, path: Path) -> None:
        self._file = TensorFile(path)
        self._rows = {frame: i for i, frame in enumerate(self._file.read("frames").tolist())}
        self._starts = [0, *np.cumsum(self._file.read("counts")).tolist()]
        self._boxes, self._scores = self._file.read("boxes"), self._file.read("scores")
        self._label_names: list[str] = json.loads(self._file.metadata.get("labels", "[]"))
        self._labels = self._file.read("labels")

    def at(self, frames: Iterable[int]) -> dict[int, Regions]:
        """The regions of several frames, read at once. Frames that are not stored are omitted."""
        stored = [frame for frame in frames if frame in self._rows]
        ranges = [(self._starts[row], self._starts[row + 1]) for row in map(self._rows.__getitem__, stored)]
        features = self._file.read_ranges("features", ranges)
        return {
            frame: Regions(
                self._boxes[start:end], self._scores[start:end], vectors, self._labels_of(start, end)
            )
            for frame, (start, end), vectors in zip(stored, ranges, features, strict=True)
        }

    def _labels_of(self, start: int, end: int) -> tuple[str, ...]:
        if not self._label_names:
            return ()
        return tuple([self._label_names[i] for i in self._labels[start:end].tolist()])

    def __getitem__(self, frame: int) -> Regions:
        return self.at([frame])[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)


class FeatureStore:
    """Regions of clips by name and word vectors of texts by key: a `FeatureSource` that can be written."""

    def __init__(self, folder: Path, attributes: FeatureAttributes) -> None:
        self.folder = folder
        self.attributes = attributes
        self._texts: dict[str, _TextRows] | None = None
        self._indexing = Lock()
        self._open = lru_cache(OPEN_CLIPS)(StoredRegions)

    def __reduce__(self) -> tuple[type[FeatureStore], tuple[Path, FeatureAttributes]]:
        """For worker processes, which index the files themselves."""
        return FeatureStore, (self.folder, self.attributes)

    @classmethod
    def create(cls, folder: Path, attributes: FeatureAttributes) -> FeatureStore:
        """Create a store, or open the one in the folder. Raises InputError if that is of other encoders."""
        if (folder / "attributes.json").exists():
            attributes = cls.open(folder).attributes.joined(attributes, folder)
        write_json(folder / "attributes.json", {"format": FORMAT, **asdict(attributes)})
        return cls(folder, attributes)

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Open a store. Raises InputError if the folder contains no store of this version."""
        raw = read_json(folder / "attributes.json")
        try:
            if raw.pop("format") != FORMAT:
                raise InputError(
                    f"{folder}: contains features of another version; remove it to extract them again"
                )
            return cls(folder, FeatureAttributes(**raw))
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{folder / 'attributes.json'}: doesn't describe features") from None

    def has_clip(self, name: str) -> bool:
        return self._clip_path(name).exists()

    def put_clip(self, name: str, frames: Mapping[int, Regions]) -> None:
        """Store the regions of a clip's numbered frames, replacing those stored before."""
        # The frames of a question are equal modulo the stride: next to each other they are one read.
        numbers = sorted(frames, key=lambda frame: (frame % MODEL_STRIDE, frame))
        regions = [frames[number] for number in numbers]
        labels = [label for r in regions for label in (r.labels or ("",) * len(r))]
        names = sorted(set(labels)) if any(labels) else []
        number_of = {label: i for i, label in enumerate(names)}
        arrays: dict[str, npt.NDArray[Any]] = {
            "frames": np.array(numbers, np.int64),
            "counts": np.array([len(r) for r in regions], np.int64),
            "boxes": _join([r.boxes for r in regions], 4).astype(np.float32),
            "scores": _join([r.scores[:, None] for r in regions], 1)[:, 0].astype(np.float32),
            "features": _join([r.features for r in regions], self.attributes.region_dim).astype(np.float16),
            "labels": np.array([number_of.get(label, 0) for label in labels], np.int32),
        }
        write_tensors(self._clip_path(name), arrays, {"labels": json.dumps(names)})
        self._open.cache_clear()

    def remove_clip(self, name: str) -> None:
        """Delete the regions of a clip."""
        self._clip_path(name).unlink(missing_ok=True)
        self._open.cache_clear()

    def clip(self, name: str) -> StoredRegions:
        """Numbered frame -> its regions. Raises InputError if the clip is not stored."""
        path = self._clip_path(name)
        try:
            return self._open(path)
        except InputError:
            if path.exists():
                raise
        raise InputError(
            f"{self.folder}: has no regions of clip {name}; extract them with `stage features regions`"
        )

    def has_text(self, key: str) -> bool:
        return key in self._index()

    def put_texts(self, vectors: Mapping[str, Array]) -> Path | None:
        """Store word vectors (words, dim) by their keys in a new file. Returns its path; None for no vectors."""
        if not vectors:
            return None
        # For the order of the files: writers may see the same number, so their names are random too.
        number = len(list((self.folder / "texts").glob(f"*{SUFFIX}")))
        metadata = {
            "keys": json.dumps(list(vectors)),
            "lengths": json.dumps([len(v) for v in vectors.values()]),
        }
        words = _join(list(vectors.values()), self.attributes.text_dim).astype(np.float16)
        path = self.folder / "texts" / f"{number:05d}-{token_hex(8)}{SUFFIX}"
        write_tensors(path, {"vectors": words}, metadata)
        self._add_texts(path, self._index())
        return path

    def text(self, key: str) -> Array:
        """The word vectors of a text, (words, dim). Raises InputError if they are not stored."""
        return self.texts([key])[0]

    def texts(self, keys: Iterable[str]) -> list[Array]:
        """The word vectors of each text, (words, dim). Raises InputError if any are not stored."""
        vectors: list[Array] = []
        for file, rows in groupby(map(self._rows_of, keys), key=attrgetter("file")):
            vectors += file.read_ranges("vectors", [(text.start, text.end) for text in rows])
        return vectors

    def hypotheses(self, question: Question) -> list[Array]:
        if self.attributes.found_by == "text":
            return self.texts(question.hypotheses)
        text, *answers = self.texts(question_keys(question))
        return [np.concatenate([text, answer]) for answer in answers]

    def sentences(self, clip: Clip) -> Sequence[Array]:
        if self.attributes.found_by == "text":
            return self.texts(sentence.text for sentence in clip.sentences)
        return self.texts(sentence_key(clip.name, i) for i in range(len(clip.sentences)))

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        return self.clip(clip.name).at(frames)

    def _index(self) -> dict[str, _TextRows]:
        with (
            self._indexing
        ):  # a thread's index must not replace that to which another one has added its texts
            if self._texts is None:
                index: dict[str, _TextRows] = {}
                for path in sorted((self.folder / "texts").glob(f"*{SUFFIX}")):
                    self._add_texts(path, index)
                self._texts = index
            return self._texts

    @staticmethod
    def _add_texts(path: Path, index: dict[str, _TextRows]) -> None:
        file = TensorFile(path)
        ends = np.cumsum(json.loads(file.metadata["lengths"])).tolist()
        keys = json.loads(file.metadata["keys"])
        for key, start, end in zip(keys, [0, *ends], ends, strict=False):
            index[key] = _TextRows(file, start, end)

    def _rows_of(self, key: str) -> _TextRows:
        rows = self._index().get(key)
        if rows is None:
            raise InputError(
                f"{self.folder}: has no word vectors of {key!r}; extract them with `stage features`"
            )
        return rows

    def _clip_path(self, name: str) -> Path:
        return self.folder / "clips" / f"{name}{SUFFIX}"


def _join(arrays: Sequence[Array], width: int) -> npt.NDArray[np.float32]:
    return np.concatenate(arrays) if arrays else np.zeros((0, width), np.float32)
