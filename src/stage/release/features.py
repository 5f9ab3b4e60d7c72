"""The features that the authors released, and TVQA's in the same manner, read as they are.

Nothing irregular in them is fatal: what is missing or past an end is left out, counted and named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stage.annotation.checking import HEIGHT, WIDTH, check_question, named
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.issues import Issues
from stage.annotation.questions import read_questions
from stage.data.layouts.detections import Detected, DetectionFile
from stage.errors import InputError
from stage.features.names import RELEASED_REGIONS, RELEASED_TEXT
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import question_keys
from stage.release.files import ReleaseFiles, questions_file
from stage.types import Array, Clip, Question, Regions


def read_usable(root: Path, split: str, source: ReleasedFeatures) -> tuple[list[Question], Issues]:
    """The questions of a split that have features, and what is irregular about all of them and their clips."""
    path = questions_file(root, split)
    questions, findings = read_questions(path), Issues()
    for question in questions:
        check_question(question, path, findings)
    return usable(questions, source, path, findings), findings


def usable(
    questions: Sequence[Question], source: ReleasedFeatures, path: Path, findings: Issues
) -> list[Question]:
    """The questions (of the file `path`) that have features; what features lack is added to the findings."""
    kept = []
    missing: set[str] = set()
    for question in questions:
        where = named(question, path)
        if question.clip not in source.clips:
            if question.clip not in missing:
                findings.add("clips without features, their questions left out", f"{question.clip}, {where}")
            missing.add(question.clip)
        elif not source.has_words(question):
            findings.add("questions without word vectors, left out", where)
        else:
            _look_at_frames(question, source.clips[question.clip], where, findings)
            kept.append(question)
    for name in dict.fromkeys(q.clip for q in kept):
        source.look_at(source.clips[name], findings)
    return kept


def _look_at_frames(question: Question, clip: Clip, where: str, findings: Issues) -> None:
    for frame, boxes in question.boxes.items():
        if boxes and frame > clip.frame_count:
            findings.add(
                "annotated frames past the end of their clip",
                f"frame {frame} of {clip.frame_count} in {clip.name}, {where}",
            )


class ReleasedFeatures:
    """A `FeatureSource` over the released files; nothing is kept in memory but where things are."""

    def __init__(self, files: ReleaseFiles) -> None:
        self.files = files
        sentences = read_subtitles(files.subtitles)
        counts = read_frame_counts(files.frames)
        self.detections = DetectionFile(files.detections)
        known = self.detections.places.keys() & set(self._h5(files.regions))
        self.clips = {
            name: Clip(name, count, WIDTH, HEIGHT, sentences.get(name, ()))
            for name, count in counts.items()
            if name in known
        }

    @cached_property
    def attributes(self) -> FeatureAttributes:
        words, regions = (
            _width(self._h5(path), path) for path in (self.files.question_words, self.files.regions)
        )
        subtitles = _width(self._h5(self.files.subtitle_words), self.files.subtitle_words)
        if subtitles != words:
            raise InputError(
                f"{self.files.subtitle_words}: word vectors have {subtitles} values, but those of "
                f"{self.files.question_words.name} have {words}; take both from one encoder"
            )
        return FeatureAttributes(RELEASED_TEXT, words, RELEASED_REGIONS, regions, found_by="name")

    def has_words(self, question: Question) -> bool:
        stored = self._h5(self.files.question_words)
        return all(key in stored for key in question_keys(question))

    def words(self, key: str) -> Array:
        """The vectors of a question's or an answer's words."""
        rows: Array = self._h5(self.files.question_words)[key][()].astype(np.float32)
        return rows

    def hypotheses(self, question: Question) -> list[Array]:
        asked, *answers = (self.words(key) for key in question_keys(question))
        return [np.concatenate([asked, answer]) for answer in answers]

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """Sentences past the end of the stored words are shorter than their text, or empty."""
        stored = self._h5(self.files.subtitle_words)
        width = self.attributes.text_dim
        rows: Array = stored[clip.name][()] if clip.name in stored else np.zeros((0, width), np.float32)
        ends = np.cumsum([len(s.words) for s in clip.sentences])
        return np.split(rows, np.minimum(ends, len(rows)))[: len(clip.sentences)]

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """Where the file of features ends too early, frames have fewer regions than boxes, or none."""
        stored = self._h5(self.files.regions)[clip.name]
        if stored.shape[1:] != (self.attributes.region_dim,):
            raise InputError(
                f"{self.files.regions}, clip {clip.name}: region features are of shape {stored.shape}, but those of "
                f"other clips have {self.attributes.region_dim} values; make the file again"
            )
        detected = self.detections.clip(clip.name)
        starts = [0, *np.cumsum(detected.counts).tolist()]
        return {
            frame: _regions(detected, frame - 1, stored[starts[frame - 1] : starts[frame]])
            for frame in frames
            if 1 <= frame < len(starts)
        }

    def look_at(self, clip: Clip, findings: Issues) -> None:
        """Whether the files agree about a clip."""
        words, stored = sum(len(s.words) for s in clip.sentences), self._h5(self.files.subtitle_words)
        rows = len(stored[clip.name]) if clip.name in stored else 0
        if rows < words:
            where = f"{clip.name}: {rows} rows for {words} words in {self.files.subtitle_words.name}"
            findings.add("clips with too few subtitle rows", where)

    def look_closely(self, clip: Clip, findings: Issues) -> None:
        """The same for what takes reading all detections."""
        detected, rows = (
            sum(self.detections.clip(clip.name).counts),
            len(self._h5(self.files.regions)[clip.name]),
        )
        if detected != rows:
            findings.add(
                "clips with more boxes than features, or fewer", f"{clip.name}: {detected} and {rows}"
            )

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes, which open the files themselves."""
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def _h5(self, path: Path) -> Any:
        """The open file, one for each process: HDF5 files must not be shared with workers."""
        import h5py

        opened: dict[Path, Any] = self.__dict__.setdefault("_opened", {}).setdefault(os.getpid(), {})
        if path not in opened:
            try:
                opened[path] = h5py.File(path, "r")
            except OSError as error:
                raise InputError(f"{path}: is not a whole HDF5 file ({error})") from None
        return opened[path]


def _width(stored: Any, path: Path) -> int:
    first = next(iter(stored.values()), None)
    if first is None or len(first.shape) != 2:
        raise InputError(f"{path}: holds no rows of vectors")
    return int(first.shape[1])


def _regions(detected: Detected, position: int, features: Array) -> Regions:
    count = len(features)
    falling = np.linspace(1.0, 0.0, count, endpoint=False, dtype=np.float32)  # scores were not kept
    return Regions(
        detected.boxes[position][:count],
        falling,
        features.astype(np.float32, copy=False),
        detected.labels[position][:count],
    )
