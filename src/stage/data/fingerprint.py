"""Fingerprints of data sets: whether a run that is resumed still has the data that it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stage.types import Clip, Question


@dataclass(frozen=True, slots=True)
class DataFingerprint:
    """Hashes of what a model can learn from a data set, part by part, so that a change can be named.

    They are stored in checkpoints: what is hashed must not change, or runs can't be resumed by another version.
    """

    questions: str
    """Of the questions in their order, with their labels, and of how they are truncated."""
    subtitles: str
    """Of the sentences of their clips."""
    frame_counts: str
    """Of their clips."""
    features: str
    """Of encoder and detector, and of the regions of their clips, see `FeatureSource.fingerprint`."""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def fingerprint_of(
    questions: Iterable[Question], clips: Mapping[str, Clip], features: str, rules: Mapping[str, Any]
) -> DataFingerprint:
    """The fingerprint of questions about some of the clips.

    features: that of the features of these clips; rules: how questions are truncated, as JSON values.
    """
    asked = list(questions)
    named = [clips[name] for name in sorted({question.clip for question in asked})]
    return DataFingerprint(
        questions=_digest([rules], map(_content, asked)),
        subtitles=_digest([c.name, [(s.start, s.end, s.text) for s in c.sentences]] for c in named),
        frame_counts=_digest([clip.name, clip.frame_count] for clip in named),
        features=features,
    )


def _content(question: Question) -> list[Any]:
    boxes = [
        [frame, [(*box.corners, box.label) for box in found]]
        for frame, found in sorted(question.boxes.items())
    ]
    q = question
    return [q.qid, q.clip, q.text, q.answers, q.answer_index, q.span, boxes]


def _digest(*rows: Iterable[Any]) -> str:
    """A hash of JSON values. Numbers that compare equal, such as 3 and 3.0, need not have the same hash."""
    digest, encode = hashlib.sha256(), json.JSONEncoder(default=float).encode
    for several in rows:
        for row in several:
            digest.update(encode(row).encode())
    return digest.hexdigest()[:16]
