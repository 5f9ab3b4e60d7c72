"""Scores of answers and spans: QA accuracy, temporal mIoU, ASA, recall at IoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage.geometry import span_iou
from stage.types import Question

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

QUESTION_TYPES = ("what", "who", "where", "why", "how", "other")
RECALL_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ANSWER_SPAN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The scores of some questions, in [0, 1]. None if no question has the ground truth that a score needs."""

    count: int
    """Number of questions."""
    share: float
    """Share of all scored questions."""
    qa_accuracy: float | None
    temporal_miou: float | None
    """Mean IoU of the predicted answers' spans with the true ones."""
    answer_span_accuracy: float | None
    """ASA: the share of questions with the right answer and a span IoU of at least 0.5."""


@dataclass(frozen=True, slots=True)
class Correctness:
    """For each question, whether its answer is right and how well its span fits."""

    right: Mask
    """(N,) whether the predicted answer is the right one"""
    has_answer: Mask
    """(N,) whether the right answer is annotated"""
    iou: Floats
    """(N,) IoU of the predicted answer's span with the true one; 0 if that isn't annotated"""
    has_span: Mask
    """(N,) whether the true span is annotated"""


def question_type(text: str) -> str:
    """The type of a question by its first word, as in Table 5: what, who, where, why, how or other."""
    first = next(iter(text.lower().split()), "")
    return first if first in QUESTION_TYPES else "other"


def compare(answers: npt.NDArray[np.int64], spans: Floats, questions: Sequence[Question]) -> Correctness:
    """Compare predicted answers (N,) and their spans in seconds (N, 2) with the ground truth of N questions."""
    true = np.array([-1 if q.answer_index is None else q.answer_index for q in questions], np.int64)
    has_span = np.array([q.span is not None for q in questions], bool)
    true_spans = np.array([q.span or (0.0, 0.0) for q in questions], np.float64).reshape(-1, 2)
    iou = np.where(has_span, span_iou(spans, true_spans), 0.0)
    return Correctness(answers == true, true >= 0, iou, has_span)


def answer_scores(correctness: Correctness, selected: Mask) -> AnswerScores:
    """The scores of the questions that `selected` (N,) marks."""
    c = correctness
    return AnswerScores(
        count=int(selected.sum()),
        share=float(selected.mean()) if len(selected) else 0.0,
        qa_accuracy=_mean(c.right, c.has_answer & selected),
        temporal_miou=_mean(c.iou, c.has_span & selected),
        answer_span_accuracy=_mean(
            c.right & (c.iou >= ANSWER_SPAN_IOU), c.has_answer & c.has_span & selected
        ),
    )


def span_recall(correctness: Correctness) -> dict[float, float | None]:
    """IoU threshold -> share of the questions whose span IoU is at least that (R@IoU)."""
    return {t: _mean(correctness.iou >= t, correctness.has_span) for t in RECALL_THRESHOLDS}


def scores_by_type(correctness: Correctness, questions: Sequence[Question]) -> dict[str, AnswerScores]:
    """The scores of each question type (Table 5)."""
    types = np.array([question_type(q.text) for q in questions], dtype=object)
    return {name: answer_scores(correctness, types == name) for name in QUESTION_TYPES}


def _mean(values: Floats | Mask, selected: Mask) -> float | None:
    return float(values[selected].mean()) if selected.any() else None
