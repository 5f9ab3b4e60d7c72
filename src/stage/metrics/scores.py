"""`evaluate`: all scores of a set of predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.annotation.predictions import PredictionTable, tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.errors import InputError
from stage.metrics.answers import (
    AnswerScores,
    Correctness,
    answer_scores,
    compare,
    scores_by_type,
    span_recall,
)
from stage.metrics.grounding import ClassScore, grounding_scores
from stage.types import Prediction, Question
from stage.wording import counted


@dataclass(frozen=True, slots=True)
class Scores:
    """The paper's metrics, in [0, 1]; None if ground truth or predictions lack what a metric needs."""

    question_count: int
    """Number of scored questions: those with a prediction."""
    qa_accuracy: float | None
    temporal_miou: float | None
    answer_span_accuracy: float | None
    grounding_map: float | None
    recall: Mapping[float, float | None]
    """IoU threshold -> share of questions whose span IoU is at least that."""
    per_question_type: Mapping[str, AnswerScores]
    """Keys: what, who, where, why, how, other."""
    per_class: Mapping[str, ClassScore]
    """Word with a true box -> its detection scores."""
    notes: tuple[str, ...] = ()
    """Why a score is missing, and which questions don't count."""

    def without_spans(self) -> Scores:
        """The scores without those of spans, for a system that doesn't localise."""
        return replace(
            self,
            temporal_miou=None,
            answer_span_accuracy=None,
            recall=dict.fromkeys(self.recall),
            per_question_type={
                name: replace(scores, temporal_miou=None, answer_span_accuracy=None)
                for name, scores in self.per_question_type.items()
            },
            notes=(*self.notes, "no Temp. mIoU, ASA and R@IoU: the system does not localise"),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values for a JSON file; a missing score is null."""
        return {
            "qa_accuracy": self.qa_accuracy,
            "temporal_miou": self.temporal_miou,
            "answer_span_accuracy": self.answer_span_accuracy,
            "grounding_map": self.grounding_map,
            "recall": {f"{threshold:.1f}": share for threshold, share in self.recall.items()},
            "per_question_type": {name: asdict(scores) for name, scores in self.per_question_type.items()},
            "per_class": {word: asdict(score) for word, score in self.per_class.items()},
        }


def evaluate(
    predictions: Sequence[Prediction] | PredictionTable,
    questions: Sequence[Question],
    vocabulary: Mapping[str, int] | None = None,
) -> Scores:
    """Score predictions against the ground truth.

    All scores are over the questions that have a prediction. vocabulary: word -> index; box labels outside it don't
    count. By default it has all words of the questions (`build_vocabulary`); a table from a file needs the file's
    own. Raises InputError for a prediction of an unknown question, for two of the same question, and for an answer
    that the question doesn't have.
    """
    words = build_vocabulary(questions) if vocabulary is None else vocabulary
    table = (
        predictions if isinstance(predictions, PredictionTable) else tabulate_predictions(predictions, words)
    )
    scored = _scored_questions(table, questions)
    rows = {qid: row for row, qid in enumerate(table.qid.tolist())}
    order = np.array([rows[q.qid] for q in scored], np.int64)
    _check_answers(table, order, scored)
    correctness = compare(table.answer[order], table.span[order], scored)
    overall = answer_scores(correctness, np.ones(len(scored), bool))
    per_class = {} if table.boxes is None else grounding_scores(table.boxes, scored, words)
    return Scores(
        question_count=len(scored),
        qa_accuracy=overall.qa_accuracy,
        temporal_miou=overall.temporal_miou,
        answer_span_accuracy=overall.answer_span_accuracy,
        grounding_map=math.fsum(c.ap for c in per_class.values()) / len(per_class) if per_class else None,
        recall=span_recall(correctness),
        per_question_type=scores_by_type(correctness, scored),
        per_class=per_class,
        notes=tuple(_notes(table, questions, correctness, per_class)),
    )


def _scored_questions(table: PredictionTable, questions: Sequence[Question]) -> list[Question]:
    predicted = set(table.qid.tolist())
    if len(predicted) < len(table.qid):
        values, counts = np.unique(table.qid, return_counts=True)
        raise InputError(f"{table.source}: question {values[counts.argmax()]} has more than one prediction")
    if unknown := sorted(predicted - {q.qid for q in questions}):
        first = ", ".join(map(str, unknown[:3])) + (", ..." if len(unknown) > 3 else "")
        raise InputError(
            f"{table.source}: {len(unknown)} of {len(predicted)} predicted questions are not in the annotation "
            f"({first}); give the annotation that the predictions were made for"
        )
    return [q for q in questions if q.qid in predicted]


def _check_answers(table: PredictionTable, order: npt.NDArray[np.int64], scored: list[Question]) -> None:
    for answer, question in zip(table.answer[order].tolist(), scored, strict=True):
        if not 0 <= answer < len(question.answers):
            raise InputError(
                f"{table.source}, question {question.qid}: the predicted answer has index {answer}, "
                f"but the question has {counted(len(question.answers), 'candidate answer')}"
            )


def _notes(
    table: PredictionTable,
    questions: Sequence[Question],
    correctness: Correctness,
    per_class: Mapping[str, ClassScore],
) -> list[str]:
    total, scored = len(questions), len(correctness.right)
    notes = []
    if scored < total:
        notes.append(
            f"{total - scored:,} of {total:,} questions of the annotation have no prediction and aren't scored"
        )
    for name, known, scores in (
        ("right answer", correctness.has_answer, "QA Acc., ASA and Grd. mAP"),
        ("time span", correctness.has_span, "Temp. mIoU, ASA and R@IoU"),
    ):
        if missing := int((~known).sum()):
            notes.append(
                f"{missing:,} of {scored:,} questions have no {name} in the annotation: left out of {scores}"
            )
    if table.boxes is None:
        notes.append("no Grd. mAP: the predictions contain no boxes")
    elif not per_class:
        notes.append("no Grd. mAP: no annotated box of a scored question has a label in the vocabulary")
    return notes
