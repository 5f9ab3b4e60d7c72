"""Error analysis: is the answer right, the moment found, the boxes found?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from stage.annotation.predictions import PredictedBoxes, PredictionTable
from stage.annotation.vocabulary import normalise_word
from stage.geometry import voc_iou
from stage.io import OutputKind, read_json
from stage.metrics import evaluate
from stage.metrics.answers import ANSWER_SPAN_IOU, QUESTION_TYPES, question_type
from stage.metrics.grounding import TRUE_POSITIVE_IOU
from stage.metrics.scores import compare_predictions
from stage.types import Question

LINK_WORDS = ("when", "before", "after")
NO_LINK = "no link"


class Outcome(Enum):
    """Whether answer and moment are right: the latter if the IoU with the true span is at least 0.5, as in ASA."""

    GROUNDED = "right answer, right moment"
    LUCK = "right answer, wrong moment"
    OBJECT = "wrong answer, right moment"
    LOST = "wrong answer, wrong moment"


@dataclass(frozen=True, slots=True)
class AnalysedAnswer:
    """A question with its prediction and outcome."""

    question: Question
    outcome: Outcome
    answer_index: int | None
    """Of the predicted answer; None if the question has no prediction, which counts as wrong."""
    span: tuple[float, float] | None
    """Predicted span of that answer, in seconds."""
    iou: float
    """IoU of the predicted and the true span."""
    box_recall: float | None
    """Share of the true boxes that a predicted box of the same word, for the right answer, overlaps with IoU 0.5."""

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
            "cause": self.outcome.value,
            "question": q.text,
            "answers": list(q.answers),
            "chosen": None if self.answer_index is None else q.answers[self.answer_index],
            "right": q.answers[q.answer_index],
            "predicted_span": self.span,
            "true_span": q.span,
            "iou": self.iou,
            "boxes_found": self.box_recall,
        }


def _is_error_analysis(path: Path) -> bool:
    content = read_json(path)
    return isinstance(content, dict) and {"counts", "counts_by_link", "questions"} <= content.keys()


ERRORS_FILE = OutputKind("an error analysis", _is_error_analysis)


def link_word(text: str) -> str:
    """The word that locates a question in time: its last "when", "before" or "after", or "no link"."""
    return next((word for word in reversed(text.lower().split()) if word in LINK_WORDS), NO_LINK)


def analyse_answers(
    table: PredictionTable,
    questions: Sequence[Question],
    vocabulary: Mapping[str, int] | None = None,
    *,
    missing_is_wrong: bool = False,
) -> list[AnalysedAnswer]:
    """The predicted questions that have a right answer and a true span, in the annotation's order.

    vocabulary: word -> its number in the predicted boxes; without one, boxes aren't analysed. missing_is_wrong: also
    the questions without a prediction, as wrong answers at the wrong moment. Raises InputError as `evaluate` does.
    """
    evaluate(
        table if vocabulary else replace(table, boxes=None), questions, vocabulary
    )  # raises the InputError
    row = {qid: i for i, qid in enumerate(table.qid.tolist())}
    known = [
        q
        for q in questions
        if (missing_is_wrong or q.qid in row) and q.answer_index is not None and q.span is not None
    ]
    correctness = compare_predictions(table, known)
    rows = [row.get(q.qid) for q in known]
    grounded = table.boxes is not None and len(table.boxes) > 0
    boxes = _BoxesByQuestion(table.boxes, vocabulary) if table.boxes and grounded and vocabulary else None
    return [
        AnalysedAnswer(
            question,
            _outcome(bool(correctness.right[i]), bool(correctness.iou[i] >= ANSWER_SPAN_IOU)),
            None if at is None else int(table.answer[at]),
            None if at is None else (float(table.span[at, 0]), float(table.span[at, 1])),
            float(correctness.iou[i]),
            boxes.recall(question) if boxes else None,
        )
        for i, (question, at) in enumerate(zip(known, rows, strict=True))
    ]


def _outcome(right_answer: bool, right_moment: bool) -> Outcome:
    if right_answer:
        return Outcome.GROUNDED if right_moment else Outcome.LUCK
    return Outcome.OBJECT if right_moment else Outcome.LOST


class _BoxesByQuestion:
    """Predicted boxes, indexed by question."""

    def __init__(self, boxes: PredictedBoxes, vocabulary: Mapping[str, int]) -> None:
        self.boxes = boxes
        self.vocabulary = vocabulary
        self.order = np.argsort(boxes.qid, kind="stable")
        self.sorted = boxes.qid[self.order]

    def recall(self, question: Question) -> float | None:
        """The share of a question's true boxes that are found; None if none of them has a label of the vocabulary."""
        first, end = np.searchsorted(self.sorted, [question.qid, question.qid + 1])
        rows = self.order[first:end]
        rows = rows[self.boxes.hypothesis[rows] == question.answer_index]
        hits = []
        for frame, annotated in question.boxes.items():
            in_frame = rows[self.boxes.frame[rows] == frame]
            for box in annotated:
                if (word := self.vocabulary.get(normalise_word(box.label))) is not None:
                    of_word = in_frame[self.boxes.word[in_frame] == word]
                    corners = self.boxes.corners[of_word].astype(np.float32)
                    true = np.tile(np.array(box.corners, np.float32), (len(corners), 1))
                    hits.append(bool((voc_iou(corners, true) >= TRUE_POSITIVE_IOU).any()))
        return fmean(hits) if hits else None


def counts_by_type(answers: Iterable[AnalysedAnswer]) -> dict[str, dict[Outcome, int]]:
    """Question type -> outcome -> number of questions; first "all", then the types that occur."""
    counts = {kind: dict.fromkeys(Outcome, 0) for kind in ("all", *QUESTION_TYPES)}
    for answer in answers:
        counts["all"][answer.outcome] += 1
        counts[answer.kind][answer.outcome] += 1
    return {kind: of_kind for kind, of_kind in counts.items() if any(of_kind.values())}


def counts_by_link(answers: Iterable[AnalysedAnswer]) -> dict[str, dict[Outcome, int]]:
    """Link word -> outcome -> number of questions, for the link words that occur."""
    counts = {link: dict.fromkeys(Outcome, 0) for link in (*LINK_WORDS, NO_LINK)}
    for answer in answers:
        counts[answer.link][answer.outcome] += 1
    return {link: of_link for link, of_link in counts.items() if any(of_link.values())}


def examples(answers: Sequence[AnalysedAnswer], outcome: Outcome, count: int) -> list[AnalysedAnswer]:
    """At most `count` predicted answers with an outcome, evenly spaced so that none is picked by hand."""
    matching = [answer for answer in answers if answer.outcome is outcome and answer.answer_index is not None]
    if len(matching) <= count:
        return matching
    return [matching[i * len(matching) // count] for i in range(count)]


def count_missing(answers: Iterable[AnalysedAnswer]) -> int:
    """The number of analysed questions without a prediction."""
    return sum(answer.answer_index is None for answer in answers)


def to_json(answers: Sequence[AnalysedAnswer], annotated_count: int | None = None) -> dict[str, Any]:
    """Counts by question type and by link word, and every question, as plain values for a JSON file.

    annotated_count: the number of questions of the annotation; by default all of them are analysed.
    """
    by_type, by_link = (
        {name: {outcome.value: n for outcome, n in row.items()} for name, row in rows.items()}
        for rows in (counts_by_type(answers), counts_by_link(answers))
    )
    return {
        "scored_questions": len(answers),
        "all_questions": len(answers) if annotated_count is None else annotated_count,
        "missing_counted_as_wrong": count_missing(answers),
        "counts": by_type,
        "counts_by_link": by_link,
        "questions": [a.to_json() for a in answers],
    }
