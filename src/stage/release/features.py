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
    if not kept:
        issues.add("splits without a question that can be used", str(path), error=True)
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
        with_regions = self.detections.byte_ranges.keys() & set(self.opened.names(files.regions))
        self.clips = {
            name: Clip(name, count, WIDTH, HEIGHT, sentences.get(name, ()))
            for name, count in counts.items()
            if name in with_regions
        }

    @cached_property
    def attributes(self) -> FeatureAttributes:
        """As in `FeatureSource`. Raises InputError if questions and subtitles are of different encoders."""
        words, regions, subtitles = map(
            self._width, (self.files.question_words, self.files.regions, self.files.subtitle_words)
        )
        if subtitles != words:
            raise InputError(
                f"{self.files.subtitle_words}: word vectors have {subtitles} values, but those of "
                f"{self.files.question_words.name} have {words}; take both from the same encoder"
            )
        return FeatureAttributes(RELEASED_TEXT, words, RELEASED_REGIONS, regions, found_by="name")

    def has_words(self, question: Question) -> bool:
        """Whether the question and all its answers have word vectors."""
        return all(self.opened.has(self.files.question_words, key) for key in question_keys(question))

    def words(self, key: str) -> Array:
        """The word vectors of a question or an answer: (words, D_text). key: of `question_keys`"""
        return self._words(self.files.question_words, key)

    def hypotheses(self, question: Question) -> list[Array]:
        """As in `FeatureSource`."""
        question_words, *answers = (self.words(key) for key in question_keys(question))
        return [np.concatenate([question_words, answer]) for answer in answers]

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """As in `FeatureSource`. If the file has too few rows, the last sentences have fewer rows than words."""
        path = self.files.subtitle_words
        rows = (
            self._words(path, clip.name)
            if self.opened.has(path, clip.name)
            else np.zeros((0, self.attributes.text_dim), np.float32)
        )
        ends = np.cumsum([len(s.words) for s in clip.sentences])
        return np.split(rows, np.minimum(ends, len(rows)))[: len(clip.sentences)]

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """As in `FeatureSource`. If the file has too few rows, the last frames have fewer regions than boxes.

        The release has no regions of the last frames of some clips: those are returned as empty.
        """
        path = self.files.regions
        stored = self._array(path, clip.name, self.attributes.region_dim)
        detected = self.detections.clip(clip.name)
        starts = [0, *np.cumsum(detected.counts).tolist()]
        found = {}
        for frame in frames:
            if not 1 <= frame < len(starts):
                found[frame] = Regions.empty(self.attributes.region_dim)
                continue
            which = slice(starts[frame - 1], starts[frame])
            rows = self.opened.rows(path, stored, which, f"{path}, {clip.name}, frame {frame}")
            found[frame] = _regions(detected, frame - 1, rows)
        return found

    def all_regions(self, clip: Clip) -> Mapping[int, Regions]:
        """As in `FeatureSource`."""
        count = len(self.detections.clip(clip.name).counts)
        return self.regions(clip, range(1, min(count, clip.frame_count) + 1))

    def fingerprint(self, clips: Iterable[str]) -> str:
        """As in `FeatureSource`: of the sizes of the released files, and of the clips' places in them."""
        sizes = [path.stat().st_size for path in (self.files.regions, self.files.detections)]
        places = []
        for name in sorted(set(clips)):
            stored = self.opened.array(self.files.regions, name)
            places.append((name, stored.shape, stored.id.get_offset(), self.detections.byte_ranges[name]))
        return hashlib.sha256(json.dumps([self.attributes.digest, sizes, places]).encode()).hexdigest()[:32]

    def _width(self, path: Path) -> int:
        """D of a file of arrays (rows, D), from its first array."""
        names = self.opened.names(path)
        if not names:
            raise InputError(f"{path}: contains no arrays of row vectors")
        return int(self.opened.array(path, names[0]).shape[1])

    def _array(self, path: Path, name: str, width: int) -> Any:
        """Row vectors of a width, of which nothing is read yet. Raises InputError if they are of another one."""
        stored = self.opened.array(path, name)
        if stored.shape[1] != width:
            raise InputError(
                f"{path}, {name}: has shape {stored.shape}, but row vectors of this file have {width} values; "
                "get the file again"
            )
        return stored

    def _words(self, path: Path, name: str) -> Array:
        return self.opened.rows(path, self._array(path, name, self.attributes.text_dim))

    def check_subtitle_rows(self, clip: Clip, issues: Issues) -> None:
        """Report a clip with fewer subtitle word vectors than words, or with some that can't be read."""
        words, path = sum(len(s.words) for s in clip.sentences), self.files.subtitle_words
        try:
            rows = len(self.opened.array(path, clip.name)) if self.opened.has(path, clip.name) else 0
        except InputError as error:
            issues.add("clips whose subtitle rows can't be read", str(error), error=True)
            return
        if rows < words:
            mismatch = f"{counted(rows, 'row')} for {counted(words, 'word')}"
            location = f"{clip.name}: {mismatch} in {self.files.subtitle_words.name}"
            issues.add("clips with too few subtitle rows", location)

    def check_region_rows(self, clip: Clip, issues: Issues) -> None:
        """Report a clip whose numbers of boxes and features, or of frames, differ. Reads all its detections.

        Raises InputError if they can't be read.
        """
        counts = self.detections.clip(clip.name).counts
        boxes = sum(counts)
        if len(counts) < min(clip.frame_count, LAST_FRAME):
            issues.add(
                "clips whose last frames have no regions (read as empty)",
                f"{clip.name}: regions of {len(counts)} of {counted(clip.frame_count, 'frame')}",
            )
        rows = len(self.opened.array(self.files.regions, clip.name))
        if boxes != rows:
            issues.add(
                "clips with different numbers of boxes and region features",
                f"{clip.name}: {counted(boxes, 'box', 'boxes')}, {counted(rows, 'feature')}",
            )


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
