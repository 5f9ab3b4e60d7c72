"""Features on disk.

A folder, because a folder of small files can be written by several processes, is resumed by looking which files
are there, and can't be broken by a kill: every file is written under another name and then put in its place.

    attributes.json     which encoders the features are of
    clips/NAME.npz      the regions of a clip's frames, features in float16
    texts/NUMBER.npz    word vectors of some thousand texts, in float16
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stage.errors import InputError
from stage.files import read_json, write_bytes, write_json
from stage.types import Array, Regions

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FeatureAttributes:
    """What the features of a store are of."""

    text: str
    """Name of the text encoder."""
    text_dim: int
    regions: str
    """Name of the region detector."""
    region_dim: int

    @property
    def digest(self) -> str:
        """A short name of this combination, for folders."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


class FeatureStore:
    """Regions of clips and vectors of texts, by name."""

    def __init__(self, folder: Path, attributes: FeatureAttributes) -> None:
        self.folder = folder
        self.attributes = attributes
        self._texts: dict[str, tuple[Array, int, int]] | None = None

    @classmethod
    def create(cls, folder: Path, attributes: FeatureAttributes) -> FeatureStore:
        """A store in a folder, new or with what is there. Raises InputError if it holds other features."""
        if (folder / "attributes.json").exists():
            store = cls.open(folder)
            if store.attributes != attributes:
                raise InputError(
                    f"{folder}: holds features of {store.attributes.text} and {store.attributes.regions}, not of "
                    f"{attributes.text} and {attributes.regions}; remove it to make them anew"
                )
            return store
        write_json(folder / "attributes.json", {"format": FORMAT, **asdict(attributes)})
        return cls(folder, attributes)

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Raises InputError if there is no store of this version."""
        raw = read_json(folder / "attributes.json")
        try:
            if raw.pop("format") != FORMAT:
                raise InputError(f"{folder}: features of another version; remove it to make them anew")
            return cls(folder, FeatureAttributes(**raw))
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{folder / 'attributes.json'}: doesn't describe features") from None

    def has_clip(self, name: str) -> bool:
        return self._clip_path(name).exists()

    def put_clip(self, name: str, frames: Mapping[int, Regions]) -> None:
        """Store the regions of numbered frames."""
        numbers = sorted(frames)
        regions = [frames[number] for number in numbers]
        labels = [label for r in regions for label in (r.labels or ("",) * len(r))]
        _write_arrays(
            self._clip_path(name),
            {
                "frames": np.array(numbers, np.int64),
                "counts": np.array([len(r) for r in regions], np.int64),
                "boxes": _join([r.boxes for r in regions], (0, 4)).astype(np.float32),
                "scores": _join([r.scores for r in regions], (0,)).astype(np.float32),
                "features": _join([r.features for r in regions], (0, self.attributes.region_dim)).astype(
                    np.float16
                ),
                "labels": np.array(json.dumps(labels)),
            },
        )

    def clip(self, name: str) -> dict[int, Regions]:
        """Numbered frame -> its regions. Raises InputError if the clip is not there."""
        path = self._clip_path(name)
        if not path.exists():
            raise InputError(f"{self.folder}: has no regions of clip {name}; make them with `stage features`")
        with np.load(path) as stored:
            ends = np.cumsum(stored["counts"])[:-1]
            labels = np.array(json.loads(str(stored["labels"])), dtype=object)
            parts = [np.split(stored[key], ends) for key in ("boxes", "scores", "features")]
            frames = stored["frames"].tolist()
        return {
            frame: Regions(boxes, scores, features.astype(np.float32), tuple(names) if any(names) else ())
            for frame, boxes, scores, features, names in zip(
                frames, *parts, np.split(labels, ends), strict=True
            )
        }

    def has_text(self, text: str) -> bool:
        return text in self._index()

    def put_texts(self, vectors: Mapping[str, Array]) -> None:
        """Store word vectors (words, dim) of texts."""
        if not vectors:
            return
        path = (
            self.folder
            / "texts"
            / f"{len(list((self.folder / 'texts').glob('*.npz'))):05d}-{os.getpid()}.npz"
        )
        lengths = [len(v) for v in vectors.values()]
        arrays = {
            "texts": np.array(json.dumps(list(vectors))),
            "lengths": np.array(lengths, np.int64),
            "vectors": _join(list(vectors.values()), (0, self.attributes.text_dim)).astype(np.float16),
        }
        _write_arrays(path, arrays)
        self._texts = None

    def text(self, text: str) -> Array:
        """(words, dim) of a text. Raises InputError if it is not there."""
        found = self._index().get(text)
        if found is None:
            raise InputError(
                f"{self.folder}: has no word vectors of {text!r}; make them with `stage features`"
            )
        vectors, start, end = found
        return vectors[start:end].astype(np.float32)

    def _index(self) -> dict[str, tuple[Array, int, int]]:
        if self._texts is None:
            self._texts = {}
            for path in sorted((self.folder / "texts").glob("*.npz")):
                with np.load(path) as stored:
                    vectors, ends = stored["vectors"], np.cumsum(stored["lengths"]).tolist()
                    texts = json.loads(str(stored["texts"]))
                for text, start, end in zip(texts, [0, *ends], ends, strict=False):
                    self._texts[text] = (vectors, start, end)
        return self._texts

    def _clip_path(self, name: str) -> Path:
        return self.folder / "clips" / f"{name}.npz"


def cache_folder() -> Path:
    """Where `stage ask` keeps features of films: $STAGE_CACHE, or `stage` in the user's cache folder."""
    if own := os.environ.get("STAGE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stage"


def _join(arrays: list[Array], empty: tuple[int, ...]) -> Array:
    return np.concatenate(arrays) if arrays else np.zeros(empty, np.float32)


def _write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]
) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_bytes(path, content.getvalue())
