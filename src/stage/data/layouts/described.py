"""A layout without films: timed descriptions and labelled detections.

split.json           split -> clips
captions.json        clip -> sub_text, sub_time, sub_end: the text stream, in the format of TVQA+'s subtitles
detections.json.gz   clip -> boxes [frame][region], object [frame][region], frames
an annotation        questions in TVQA+'s format: questions.json, tvqa_plus_val.json, or
                     ../tvqa_plus/tvqa_plus_val.json
text_encoder.txt     optional: the text encoder, as for `--text` of `stage features`

A region's feature is the text embedding of its label (a visual concept, Lei et al., 2018). Word vectors are computed
on first use and kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stage.annotation.box_units import doubts
from stage.annotation.clips import read_subtitles
from stage.annotation.issues import Issues
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.layouts.detections import Detected, detected_from_json
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.extraction import encode_texts
from stage.features.names import PACKAGED_BERT
from stage.features.protocols import FeatureAttributes, TextEncoder
from stage.features.regions.visual_concepts import LabelFeatures
from stage.features.registry import load_text_encoder
from stage.features.store.cache_folder import cache_folder
from stage.features.store.clip_file import shown
from stage.features.store.feature_store import FeatureStore
from stage.io import read_json
from stage.media.clip_names import composed
from stage.types import Array, Clip, Question, Regions

SPLIT, CAPTIONS, DETECTIONS = "split.json", "captions.json", "detections.json.gz"
TEXT_ENCODER = "text_encoder.txt"
ANNOTATIONS = ("questions.json", "tvqa_plus_val.json", "../tvqa_plus/tvqa_plus_val.json")


def matches(path: Path) -> bool:
    """Whether the parent folder contains splits, captions and detections."""
    return all((path.parent / name).is_file() for name in (SPLIT, CAPTIONS, DETECTIONS))


def open_questions(path: Path, limits: Limits) -> QuestionSet:
    """The questions of FOLDER/SPLIT with their features. Splits can be joined: FOLDER/train+dev.

    Raises InputError naming what is missing.
    """
    root, split = path.parent, path.name
    names = _clips_of(root / SPLIT, split)
    annotation = next((file for name in ANNOTATIONS if (file := root / name).is_file()), None)
    if annotation is None:
        raise InputError(f"{root}: has no annotation; put the questions there as {ANNOTATIONS[0]}")
    questions = [q for q in read_questions(annotation) if q.clip in names]
    captions = read_subtitles(root / CAPTIONS)
    detections = _read_detections(root / DETECTIONS)
    clips = {
        name: Clip(name, len(detections[name].boxes), sentences=captions.get(name, ()))
        for name in sorted(names & detections.keys())
    }
    issues = Issues()
    for name in sorted(names - detections.keys()):
        issues.add("clips without detections (questions omitted)", f"{name} in {root / DETECTIONS}")
    for name in sorted(clips.keys() - captions.keys()):
        issues.add("clips without descriptions", f"{name} in {root / CAPTIONS}")
    questions = [q for q in questions if q.clip in clips]
    encoder = _text_encoder(root / TEXT_ENCODER)
    source = DescribedFeatures(clips, detections, encoder)
    source.encode(questions, encoder)
    notes = (*issues.summary(), *doubts(questions))
    return QuestionSet(str(root / split), questions, clips, source, limits, notes)


def read_annotation(path: Path) -> tuple[list[Question], list[Clip]]:
    """The questions, and the clips with their descriptions as sentences."""
    opened = open_questions(path, Limits())
    return list(opened.questions), list(opened.clips.values())


def advice(path: Path) -> str | None:
    """None: there is nothing to correct."""
    return None


def _clips_of(path: Path, split: str) -> set[str]:
    """The names of the clips of a split, or of several joined by +. Raises InputError if the file lacks one."""
    by_split = read_json(path)
    if not isinstance(by_split, dict) or not all(map(_is_names, by_split.values())):
        raise InputError(f"{path}: should map splits to lists of the names of their clips")
    if absent := [part for part in split.split("+") if part not in by_split]:
        raise InputError(f"{path}: has no split {absent[0]!r}; it has {', '.join(by_split)}")
    return {composed(name) for part in split.split("+") for name in by_split[part]}


def _is_names(raw: Any) -> bool:
    return isinstance(raw, list) and all(isinstance(name, str) for name in raw)


def _text_encoder(path: Path) -> TextEncoder:
    """The encoder that a file names; the packaged BERT if there is no such file."""
    if not path.is_file():
        return load_text_encoder(PACKAGED_BERT)
    try:
        name = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); write the name of a text encoder") from None
    try:
        return load_text_encoder(name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@lru_cache(1)
def _read_detections(path: Path) -> dict[str, Detected]:
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: should map clips to their detections")
    return {composed(name): detected_from_json(entry, f"{path}, clip {name}") for name, entry in raw.items()}


class DescribedFeatures:
    """A `FeatureSource` with visual concepts as region features."""

    def __init__(
        self, clips: Mapping[str, Clip], detections: Mapping[str, Detected], encoder: TextEncoder
    ) -> None:
        self.clips = clips
        self.detections = detections
        self.attributes = FeatureAttributes(
            encoder.name, encoder.dim, LabelFeatures.name_for(encoder.name), encoder.dim
        )
        self.store = FeatureStore.create(cache_folder() / f"words-{self.attributes.digest}", self.attributes)
        self.label_features = LabelFeatures(self.store.text, encoder.dim)

    def encode(self, questions: Sequence[Question], encoder: TextEncoder) -> None:
        """Compute the word vectors of questions, clips and labels that the cache lacks."""
        texts = {h for question in questions for h in question.hypotheses}
        texts |= {sentence.text for clip in self.clips.values() for sentence in clip.sentences}
        texts |= {label for name in self.clips for labels in self.detections[name].labels for label in labels}
        missing = sorted(text for text in texts if not self.store.has_text(text))
        self.store.put_texts(dict(zip(missing, encode_texts(missing, encoder), strict=True)))

    def hypotheses(self, question: Question) -> list[Array]:
        return self.store.hypotheses(question)

    def sentences(self, clip: Clip) -> Sequence[Array]:
        return self.store.sentences(clip)

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """As in `FeatureSource`. The detections give the clip its length, so none of its frames is missing."""
        detected = self.detections[clip.name]
        wanted = list(frames)
        if beyond := [frame for frame in wanted if not 1 <= frame <= len(detected.boxes)]:
            raise InputError(f"clip {clip.name}: has no detections of {shown(beyond)}; add them")
        return {frame: self._regions(detected, frame - 1) for frame in wanted}

    def all_regions(self, clip: Clip) -> Mapping[int, Regions]:
        """As in `FeatureSource`."""
        return self.regions(clip, range(1, len(self.detections[clip.name].boxes) + 1))

    def fingerprint(self, clips: Iterable[str]) -> str:
        """As in `FeatureSource`: of the attributes and of the clips' detections, from which features are made."""
        digest = hashlib.sha256(self.attributes.identity.encode())
        for name in sorted(set(clips)):
            detected = self.detections[name]
            digest.update(json.dumps([name, detected.labels]).encode())
            digest.update(b"".join(boxes.tobytes() for boxes in detected.boxes))
        return digest.hexdigest()[:32]

    def _regions(self, detected: Detected, position: int) -> Regions:
        boxes, labels = detected.boxes[position], detected.labels[position]
        return Regions(boxes, np.ones(len(boxes), np.float32), self.label_features.features(labels), labels)
