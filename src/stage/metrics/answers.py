"""How many answers are right, and how well the span of the predicted answer meets the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage.types import Question

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

QUESTION_TYPES = ("what", "who", "where", "why", "how", "other")
RECALL_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ANSWER_SPAN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """Scores of some questions. None where no question has the truth that it takes."""

    count: int
    """Questions."""
    share: float
    """Part of all scored questions."""
    qa_accuracy: float | None
    temporal_miou: float | None
    answer_span_accuracy: float | None
    """Share of questions with the right answer and a span IoU of at least 0.5."""


@dataclass(frozen=True, slots=True)
class Judged:
    """For each question, how right its answer and its span are."""

    right: Mask
    """(N,) the predicted answer is the right one"""
    has_answer: Mask
    """(N,) the right answer is known"""
    iou: Floats
    """(N,) IoU of the predicted answer's span with the true one; 0 if that is not known"""
    has_span: Mask
    """(N,) the true span is known"""


def question_type(text: str) -> str:
    """The type of a question by its first word, as in Table 5: what, who, where, why, how, other."""
    first = next(iter(text.lower().split()), "")
    return first if first in QUESTION_TYPES else "other"


def span_iou(predicted: Floats, true: Floats) -> Floats:
    """IoU of spans in seconds, (N, 2) each -> (N,); the union is from the first start to the last end."""
    intersection = np.minimum(predicted[:, 1], true[:, 1]) - np.maximum(predicted[:, 0], true[:, 0])
    union = np.maximum(predicted[:, 1], true[:, 1]) - np.minimum(predicted[:, 0], true[:, 0])
    iou: Floats = np.divide(intersection.clip(min=0), union, out=np.zeros_like(union), where=union > 0)
    return iou


def judge(answers: npt.NDArray[np.int64], spans: Floats, questions: Sequence[Question]) -> Judged:
    """Compare predicted answers (N,) and their spans (N, 2) with the truth of N questions."""
    true = np.array([-1 if q.answer_index is None else q.answer_index for q in questions], np.int64)
    has_span = np.array([q.span is not None for q in questions], bool)
    true_spans = np.array([q.span or (0.0, 0.0) for q in questions], np.float64).reshape(-1, 2)
    return Judged(answers == true, true >= 0, np.where(has_span, span_iou(spans, true_spans), 0.0), has_span)


def answer_scores(judged: Judged, of: Mask) -> AnswerScores:
    """The scores of the questions in `of` (N,)."""
    both = judged.has_answer & judged.has_span & of
    return AnswerScores(
        count=int(of.sum()),
        share=float(of.mean()) if len(of) else 0.0,
        qa_accuracy=_mean(judged.right, judged.has_answer & of),
        temporal_miou=_mean(judged.iou, judged.has_span & of),
        answer_span_accuracy=_mean(judged.right & (judged.iou >= ANSWER_SPAN_IOU), both),
    )


def span_recall(judged: Judged) -> dict[float, float | None]:
    """Threshold -> share of the questions whose span IoU is at least that."""
    return {t: _mean(judged.iou >= t, judged.has_span) for t in RECALL_THRESHOLDS}


def scores_by_type(judged: Judged, questions: Sequence[Question]) -> dict[str, AnswerScores]:
    """The scores of each type of question (Table 5)."""
    types = np.array([question_type(q.text) for q in questions], dtype=object)
    return {name: answer_scores(judged, types == name) for name in QUESTION_TYPES}


def _mean(values: Floats | Mask, of: Mask) -> float | None:
    return float(values[of].mean()) if of.any() else None
