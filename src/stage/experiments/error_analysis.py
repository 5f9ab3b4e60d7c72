"""Why answers are right or wrong: whether the moment was found, and whether the boxes were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean
from typing import Any

import numpy as np

from stage.annotation.predictions import PredictedBoxes, PredictionTable
from stage.annotation.vocabulary import fold
from stage.metrics import evaluate
from stage.metrics.answers import ANSWER_SPAN_IOU, QUESTION_TYPES, judge, question_type
from stage.metrics.grounding import TRUE_POSITIVE_IOU, voc_iou
from stage.types import Question

LINKS = ("when", "before", "after")
NO_LINK = "no link"


class Cause(Enum):
    """What an answer rests on. The moment is right if its IoU with the true one is at least 0.5, as for ASA."""

    GROUNDED = "right answer, right moment"
    LUCK = "right answer, wrong moment"
    OBJECT = "wrong answer, right moment"
    LOST = "wrong answer, wrong moment"


@dataclass(frozen=True, slots=True)
class Case:
    """A question, what was answered, and why."""

    question: Question
    cause: Cause
    chosen: int
    """Index of the predicted answer."""
    span: tuple[float, float]
    """Of the predicted answer, in seconds."""
    iou: float
    """Of that with the true span."""
    boxes_found: float | None
    """Share of the true boxes that a predicted box of their word, for the right answer, meets with IoU 0.5."""

    @property
    def kind(self) -> str:
        return question_type(self.question.text)

    @property
    def link(self) -> str:
        return link_word(self.question.text)

    def to_json(self) -> dict[str, Any]:
        """As plain values for a JSON file."""
        q = self.question
        assert q.answer_index is not None
        return {
            "qid": q.qid,
            "clip": q.clip,
            "type": self.kind,
            "link": self.link,
            "cause": self.cause.value,
            "question": q.text,
            "answers": list(q.answers),
            "chosen": q.answers[self.chosen],
            "right": q.answers[q.answer_index],
            "predicted_span": self.span,
            "true_span": q.span,
            "iou": self.iou,
            "boxes_found": self.boxes_found,
        }


def link_word(text: str) -> str:
    """What places a question in time: the last of "when", "before" and "after" in it, or "no link"."""
    return next((word for word in reversed(text.lower().split()) if word in LINKS), NO_LINK)


def sort_answers(
    table: PredictionTable, questions: Sequence[Question], vocabulary: Mapping[str, int] | None = None
) -> list[Case]:
    """The predicted questions whose answer and span are known, in the annotation's order, each with its cause.

    vocabulary: what the words of predicted boxes are numbered with; without one boxes aren't looked at. Raises
    InputError for predictions that don't belong to the questions.
    """
    evaluate(table, questions)  # tells what does not fit
    row = {qid: i for i, qid in enumerate(table.qid.tolist())}
    known = [q for q in questions if q.qid in row and q.answer_index is not None and q.span is not None]
    rows = np.array([row[q.qid] for q in known], np.int64)
    judged = judge(table.answer[rows], table.span[rows], known)
    look = _BoxesOfQuestions(table.boxes, vocabulary) if table.boxes is not None and vocabulary else None
    return [
        Case(
            question,
            _cause(bool(judged.right[i]), bool(judged.iou[i] >= ANSWER_SPAN_IOU)),
            int(table.answer[rows[i]]),
            (float(table.span[rows[i], 0]), float(table.span[rows[i], 1])),
            float(judged.iou[i]),
            look.found(question) if look else None,
        )
        for i, question in enumerate(known)
    ]


def _cause(right: bool, in_time: bool) -> Cause:
    if right:
        return Cause.GROUNDED if in_time else Cause.LUCK
    return Cause.OBJECT if in_time else Cause.LOST


class _BoxesOfQuestions:
    """Predicted boxes, looked up by question."""

    def __init__(self, boxes: PredictedBoxes, vocabulary: Mapping[str, int]) -> None:
        self.boxes = boxes
        self.vocabulary = vocabulary
        self.order = np.argsort(boxes.qid, kind="stable")
        self.sorted = boxes.qid[self.order]

    def found(self, question: Question) -> float | None:
        """The share of a question's true boxes that are found; none if it has no box of a known label."""
        first, end = np.searchsorted(self.sorted, [question.qid, question.qid + 1])
        mine = self.order[first:end]
        mine = mine[self.boxes.hypothesis[mine] == question.answer_index]
        hits = []
        for frame, annotated in question.boxes.items():
            here = mine[self.boxes.frame[mine] == frame]
            for box in annotated:
                if (word := self.vocabulary.get(fold(box.label))) is not None:
                    corners = self.boxes.corners[here[self.boxes.word[here] == word]].astype(np.float32)
                    true = np.tile(np.array(box.corners, np.float32), (len(corners), 1))
                    hits.append(bool((voc_iou(corners, true) >= TRUE_POSITIVE_IOU).any()))
        return fmean(hits) if hits else None


def counts_by_type(cases: Iterable[Case]) -> dict[str, dict[Cause, int]]:
    """Question type -> cause -> questions, for the types that there are; first of all, "all"."""
    counts = {kind: dict.fromkeys(Cause, 0) for kind in ("all", *QUESTION_TYPES)}
    for case in cases:
        counts["all"][case.cause] += 1
        counts[case.kind][case.cause] += 1
    return {kind: of_kind for kind, of_kind in counts.items() if any(of_kind.values())}


def counts_by_link(cases: Iterable[Case]) -> dict[str, dict[Cause, int]]:
    """Link word -> cause -> questions, for the link words that there are."""
    counts = {link: dict.fromkeys(Cause, 0) for link in (*LINKS, NO_LINK)}
    for case in cases:
        counts[case.link][case.cause] += 1
    return {link: of_link for link, of_link in counts.items() if any(of_link.values())}


def examples(cases: Sequence[Case], cause: Cause, count: int) -> list[Case]:
    """Some questions of a cause, evenly spaced in their order: not chosen by how they look."""
    mine = [case for case in cases if case.cause is cause]
    if len(mine) <= count:
        return mine
    return [mine[i * len(mine) // count] for i in range(count)]


def to_json(cases: Sequence[Case]) -> dict[str, Any]:
    """Counts by type, by link word and cause, and every question."""
    by_type, by_link = (
        {name: {cause.value: n for cause, n in row.items()} for name, row in rows.items()}
        for rows in (counts_by_type(cases), counts_by_link(cases))
    )
    return {"counts": by_type, "counts_by_link": by_link, "questions": [case.to_json() for case in cases]}
