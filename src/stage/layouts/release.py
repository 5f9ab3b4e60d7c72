"""The folder of features that the authors released, and TVQA's in the same manner, read as they are.

Nothing irregular in it is fatal: what is missing or past an end is left out, counted and named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stage.annotation.checking import HEIGHT, WIDTH, check_question, named
from stage.annotation.findings import Findings
from stage.annotation.questions import read_questions
from stage.annotation.subtitles import read_frame_counts, read_subtitles
from stage.dataset import QuestionSet
from stage.errors import InputError
from stage.examples import Limits
from stage.features.store import FeatureAttributes, question_keys
from stage.layouts.detections import Detected, DetectionFile
from stage.types import Array, Clip, Question, Regions

TEXT_NAME, REGION_NAME = "tvqa-release/text", "tvqa-release/regions"
SPLIT_FILES = (
    "tvqa_plus_{}_preprocessed.json",
    "tvqa_plus_{}.json",
    "tvqa_{}_preprocessed.json",
    "tvqa_{}.jsonl",
)
SPLITS = ("train", "valid", "val", "test", "test_public")


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """Where everything lies; patterns, because TVQA+ and TVQA, BERT and GloVe have their own names."""

    regions: Path
    """.h5: clip -> (regions of all frames, D)"""
    detections: Path
    """.json: clip -> boxes, counts, object"""
    question_words: Path
    """.h5: QID_q, QID_a0, ... -> (words, D)"""
    subtitle_words: Path
    """.h5: clip -> (words of all sentences, D)"""
    subtitles: Path
    frames: Path

    @classmethod
    def find(cls, root: Path) -> ReleaseFiles:
        """Raises InputError naming the pattern that has no file, or several."""
        return cls(
            regions=_only(root, "*pool5*.h5"),
            detections=_only(root, "*frcn*.json"),
            question_words=_only(root, "*qa_s_tokenized*.h5"),
            subtitle_words=_only(root, "*sub_s_tokenized*.h5"),
            subtitles=_only(root, "*subtitles*.json"),
            frames=_only(root, "frm_cnt_cache.json"),
        )


def _only(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        pickles = [path.name for path in sorted(root.glob("*.p*kl*"))]
        advice = f"; {pickles[0]} was not read, since unpickling it could run code" if pickles else ""
        raise InputError(f"{root}: needs one file {pattern}, but has {names}{advice}")
    return found[0]


def splits(root: Path) -> list[str]:
    """The splits that a folder has questions of."""
    return [split for split in SPLITS if is_here(root, split)]


def is_here(root: Path, split: str) -> bool:
    return any((root / name.format(split)).is_file() for name in SPLIT_FILES)


def questions_file(root: Path, split: str) -> Path:
    """Raises InputError if there is none."""
    files = [root / name.format(split) for name in SPLIT_FILES]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise InputError(f"{root}: has no questions of split {split!r}, such as {files[0].name}")
    return found


def open_release(root: Path, split: str, limits: Limits) -> QuestionSet:
    """The questions of a split that have features. What was left out or is odd stands in the set's notes."""
    source = ReleasedFeatures(ReleaseFiles.find(root))
    questions, findings = read_usable(root, split, source)
    return QuestionSet(str(root / split), questions, source.clips, source, limits, tuple(findings.summary()))


def read_usable(root: Path, split: str, source: ReleasedFeatures) -> tuple[list[Question], Findings]:
    """The questions of a split that have features, and what is irregular about all of them and their clips."""
    path = questions_file(root, split)
    questions, findings = read_questions(path), Findings()
    for question in questions:
        check_question(question, path, findings)
    return usable(questions, source, path, findings), findings


def usable(
    questions: Sequence[Question], source: ReleasedFeatures, path: Path, findings: Findings
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


def _look_at_frames(question: Question, clip: Clip, where: str, findings: Findings) -> None:
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
        return FeatureAttributes(TEXT_NAME, words, REGION_NAME, regions, found_by="name")

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

    def look_at(self, clip: Clip, findings: Findings) -> None:
        """Whether the files agree about a clip."""
        words, stored = sum(len(s.words) for s in clip.sentences), self._h5(self.files.subtitle_words)
        rows = len(stored[clip.name]) if clip.name in stored else 0
        if rows < words:
            where = f"{clip.name}: {rows} rows for {words} words in {self.files.subtitle_words.name}"
            findings.add("clips with too few subtitle rows", where)

    def look_closely(self, clip: Clip, findings: Findings) -> None:
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
