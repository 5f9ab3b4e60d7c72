"""Released features (HDF5 and JSON) as a feature source, TVQA+'s and TVQA's.

Irregularities are not fatal: what is missing or out of range is omitted, and reported as an issue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stage.annotation.checking import HEIGHT, WIDTH, check_question, question_location
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.issues import Issues
from stage.annotation.labels import LAST_FRAME
from stage.annotation.questions import read_questions
from stage.data.layouts.detections import Detected, DetectionFile
from stage.errors import InputError
from stage.features.checks import all_finite
from stage.features.names import RELEASED_REGIONS, RELEASED_TEXT
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import question_keys
from stage.release.files import ReleaseFiles, questions_file
from stage.release.hdf5 import Hdf5Files
from stage.types import Array, Clip, Question, Regions
from stage.wording import counted


def read_split(root: Path, split: str, source: ReleasedFeatures) -> tuple[list[Question], Issues]:
    """The questions of a split that have features, and the issues of all its questions and clips."""
    path = questions_file(root, split)
    questions, issues = read_questions(path), Issues()
    for question in questions:
        check_question(question, path, issues, (WIDTH, HEIGHT))
    return with_features(questions, source, path, issues), issues


def with_features(
    questions: Sequence[Question], source: ReleasedFeatures, path: Path, issues: Issues
) -> list[Question]:
    """The questions that have features; missing features are added to the issues. path: of the questions' file."""
    kept = []
    missing: set[str] = set()
    for question in questions:
        location = question_location(question, path)
        if question.clip not in source.clips:
            if question.clip not in missing:
                issues.add("clips without features (questions omitted)", f"{question.clip}, {location}")
            missing.add(question.clip)
        elif not source.has_words(question):
            issues.add("questions without word vectors (omitted)", location)
        else:
            _check_frames(question, source.clips[question.clip], location, issues)
            kept.append(question)
    for name in dict.fromkeys(q.clip for q in kept):
        source.check_subtitle_rows(source.clips[name], issues)
    return kept


def _check_frames(question: Question, clip: Clip, location: str, issues: Issues) -> None:
    """Report annotated frames that the clip doesn't have."""
    for frame, boxes in question.boxes.items():
        if boxes and frame > clip.frame_count:
            issues.add(
                "annotated frames past the end of their clip",
                f"frame {frame} of {clip.frame_count} in {clip.name}, {location}",
            )


class ReleasedFeatures:
    """A `FeatureSource` that reads the released files on demand; only metadata is kept in memory."""

    def __init__(self, files: ReleaseFiles) -> None:
        self.files = files
        sentences = read_subtitles(files.subtitles)
        counts = read_frame_counts(files.frames)
        self.detections = DetectionFile(files.detections)
        self.opened = Hdf5Files()
        with_regions = self.detections.byte_ranges.keys() & set(self.opened.file(files.regions))
        self.clips = {
            name: Clip(name, count, WIDTH, HEIGHT, sentences.get(name, ()))
            for name, count in counts.items()
            if name in with_regions
        }

    @cached_property
    def attributes(self) -> FeatureAttributes:
        """As in `FeatureSource`. Raises InputError if questions and subtitles are of different encoders."""
        words, regions = (
            _width(self.opened.file(path), path) for path in (self.files.question_words, self.files.regions)
        )
        subtitles = _width(self.opened.file(self.files.subtitle_words), self.files.subtitle_words)
        if subtitles != words:
            raise InputError(
                f"{self.files.subtitle_words}: word vectors have {subtitles} values, but those of "
                f"{self.files.question_words.name} have {words}; take both from the same encoder"
            )
        return FeatureAttributes(RELEASED_TEXT, words, RELEASED_REGIONS, regions, found_by="name")

    def has_words(self, question: Question) -> bool:
        """Whether the question and all its answers have word vectors."""
        stored = self.opened.file(self.files.question_words)
        return all(key in stored for key in question_keys(question))

    def words(self, key: str) -> Array:
        """The word vectors of a question or an answer: (words, D_text). key: of `question_keys`"""
        return self._rows(self.files.question_words, key)

    def hypotheses(self, question: Question) -> list[Array]:
        """As in `FeatureSource`."""
        question_words, *answers = (self.words(key) for key in question_keys(question))
        return [np.concatenate([question_words, answer]) for answer in answers]

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """As in `FeatureSource`. If the file has too few rows, the last sentences have fewer rows than words."""
        width = self.attributes.text_dim
        present = clip.name in self.opened.file(self.files.subtitle_words)
        rows = (
            self._rows(self.files.subtitle_words, clip.name) if present else np.zeros((0, width), np.float32)
        )
        ends = np.cumsum([len(s.words) for s in clip.sentences])
        return np.split(rows, np.minimum(ends, len(rows)))[: len(clip.sentences)]

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """As in `FeatureSource`. If the file has too few rows, the last frames have fewer regions than boxes.

        The release has no regions of the last frames of some clips: those are returned as empty.
        """
        stored = self.opened.file(self.files.regions)[clip.name]
        if stored.shape[1:] != (self.attributes.region_dim,):
            raise InputError(
                f"{self.files.regions}, clip {clip.name}: region features have shape {stored.shape}, but those of "
                f"other clips have {self.attributes.region_dim} values; get the file again"
            )
        detected = self.detections.clip(clip.name)
        starts = [0, *np.cumsum(detected.counts).tolist()]
        found = {}
        for frame in frames:
            if not 1 <= frame < len(starts):
                found[frame] = Regions.empty(self.attributes.region_dim)
                continue
            rows = self._rows(
                self.files.regions, clip.name, slice(starts[frame - 1], starts[frame]), f", frame {frame}"
            )
            found[frame] = _regions(detected, frame - 1, rows)
        return found

    def all_regions(self, clip: Clip) -> Mapping[int, Regions]:
        """As in `FeatureSource`."""
        count = len(self.detections.clip(clip.name).counts)
        return self.regions(clip, range(1, min(count, clip.frame_count) + 1))

    def fingerprint(self, clips: Iterable[str]) -> str:
        """As in `FeatureSource`: of the sizes of the released files, and of the clips' places in them."""
        regions = self.opened.file(self.files.regions)
        sizes = [path.stat().st_size for path in (self.files.regions, self.files.detections)]
        places = [
            (name, regions[name].shape, regions[name].id.get_offset(), self.detections.byte_ranges[name])
            for name in sorted(set(clips))
        ]
        return hashlib.sha256(json.dumps([self.attributes.digest, sizes, places]).encode()).hexdigest()[:32]

    def _rows(self, path: Path, key: str, which: Any = (), where: str = "") -> Array:
        """Rows of an array in float32; all by default. Raises InputError if they can't be read or aren't finite."""
        rows: Array = self.opened.read(path, key, which).astype(np.float32, copy=False)
        if not all_finite(rows):
            raise InputError(f"{path}, {key}{where}: contains NaN or infinities; get the file again")
        return rows

    def check_subtitle_rows(self, clip: Clip, issues: Issues) -> None:
        """Report a clip with fewer subtitle word vectors than words."""
        words = sum(len(s.words) for s in clip.sentences)
        stored = self.opened.file(self.files.subtitle_words)
        rows = len(stored[clip.name]) if clip.name in stored else 0
        if rows < words:
            mismatch = f"{counted(rows, 'row')} for {counted(words, 'word')}"
            location = f"{clip.name}: {mismatch} in {self.files.subtitle_words.name}"
            issues.add("clips with too few subtitle rows", location)

    def check_region_rows(self, clip: Clip, issues: Issues) -> None:
        """Report a clip whose numbers of boxes and features, or of frames, differ. Reads all its detections."""
        counts = self.detections.clip(clip.name).counts
        boxes = sum(counts)
        if len(counts) < min(clip.frame_count, LAST_FRAME):
            issues.add(
                "clips whose last frames have no regions (read as empty)",
                f"{clip.name}: regions of {len(counts)} of {counted(clip.frame_count, 'frame')}",
            )
        rows = len(self.opened.file(self.files.regions)[clip.name])
        if boxes != rows:
            issues.add(
                "clips with different numbers of boxes and region features",
                f"{clip.name}: {counted(boxes, 'box', 'boxes')}, {counted(rows, 'feature')}",
            )


def _width(stored: Any, path: Path) -> int:
    """D of a file of arrays (rows, D), from its first array."""
    first = next(iter(stored.values()), None)
    if first is None or len(getattr(first, "shape", ())) != 2:
        raise InputError(f"{path}: contains no arrays of row vectors")
    return int(first.shape[1])


def _regions(detected: Detected, position: int, features: Array) -> Regions:
    """The regions of the frame at `position` that have features."""
    count = len(features)
    descending = np.linspace(1.0, 0.0, count, endpoint=False, dtype=np.float32)  # scores weren't released
    return Regions(
        detected.boxes[position][:count],
        descending,
        features,
        detected.labels[position][:count],
    )
