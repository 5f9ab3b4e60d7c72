"""`evaluate`: all scores of a set of predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.annotation.box_units import doubts
from stage.annotation.predictions import (
    PredictedBoxes,
    PredictionTable,
    empty_span_notes,
    tabulate_predictions,
)
from stage.annotation.vocabulary import build_vocabulary
from stage.errors import InputError
from stage.io import OutputKind, read_json
from stage.metrics.answers import (
    AnswerScores,
    Correctness,
    answer_scores,
    compare,
    scores_by_type,
    span_recall,
)
from stage.metrics.box_agreement import check_agreement
from stage.metrics.grounding import ClassScore, grounding_scores
from stage.types import Prediction, Question
from stage.wording import counted


@dataclass(frozen=True, slots=True)
class Scores:
    """The paper's metrics, in [0, 1]; None if ground truth or predictions lack what a metric needs."""

    question_count: int
    """Number of scored questions: those with a prediction, or all of them if a missing one counts as wrong."""
    annotated_count: int
    """Number of questions of the annotation."""
    missing_as_wrong: int
    """Number of scored questions without a prediction, which count as wrong."""
    qa_accuracy: float | None
    temporal_miou: float | None
    answer_span_accuracy: float | None
    grounding_map: float | None
    recall: Mapping[float, float | None] = field(hash=False)
    """IoU threshold -> share of questions whose span IoU is at least that."""
    per_question_type: Mapping[str, AnswerScores] = field(hash=False)
    """Keys: what, who, where, why, how, other."""
    per_class: Mapping[str, ClassScore] = field(hash=False)
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
            "scored_questions": self.question_count,
            "all_questions": self.annotated_count,
            "missing_counted_as_wrong": self.missing_as_wrong,
            "qa_accuracy": self.qa_accuracy,
            "temporal_miou": self.temporal_miou,
            "answer_span_accuracy": self.answer_span_accuracy,
            "grounding_map": self.grounding_map,
            "recall": {f"{threshold:.1f}": share for threshold, share in self.recall.items()},
            "per_question_type": {name: asdict(scores) for name, scores in self.per_question_type.items()},
            "per_class": {word: asdict(score) for word, score in self.per_class.items()},
        }


def _are_scores(content: Any) -> bool:
    return isinstance(content, dict) and {"qa_accuracy", "per_class"} <= content.keys()


def _are_scores_of_models(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(map(_are_scores, content.values()))


SCORES_FILE = OutputKind("a scores file", lambda path: _are_scores(read_json(path)))
COMPARISON_FILE = OutputKind(
    "a file of several models' scores", lambda path: _are_scores_of_models(read_json(path))
)


def evaluate(
    predictions: Sequence[Prediction] | PredictionTable,
    questions: Sequence[Question],
    vocabulary: Mapping[str, int] | None = None,
    *,
    missing_is_wrong: bool = False,
) -> Scores:
    """Score predictions against the ground truth.

    All scores are over the questions that have a prediction or, if missing_is_wrong, over all: one without a
    prediction has a wrong answer, an IoU of 0 and no boxes. vocabulary: word -> index; box labels outside it don't
    count. By default it has all words of the questions (`build_vocabulary`); a table from a file needs the file's
    own. Raises InputError for a prediction of an unknown question, for two of the same question, for an answer that
    the question doesn't have, and for boxes that are certainly in other units than pixels or in another order.
    """
    words = build_vocabulary(questions) if vocabulary is None else vocabulary
    table = (
        predictions if isinstance(predictions, PredictionTable) else tabulate_predictions(predictions, words)
    )
    predicted = _predicted_questions(table, questions)
    scored = list(questions) if missing_is_wrong else predicted
    rows = _rows_of(table, scored)
    _check_answers(table, rows, scored)
    correctness = compare_predictions(table, scored)
    overall = answer_scores(correctness, np.ones(len(scored), bool))
    boxes = table.boxes if table.boxes is not None and len(table.boxes) else None
    per_class = {} if boxes is None else grounding_scores(boxes, scored, words)
    return Scores(
        question_count=len(scored),
        annotated_count=len(questions),
        missing_as_wrong=int((rows < 0).sum()),
        qa_accuracy=overall.qa_accuracy,
        temporal_miou=overall.temporal_miou,
        answer_span_accuracy=overall.answer_span_accuracy,
        grounding_map=math.fsum(c.ap for c in per_class.values()) / len(per_class) if per_class else None,
        recall=span_recall(correctness),
        per_question_type=scores_by_type(correctness, scored),
        per_class=per_class,
        notes=(
            *_notes(boxes, questions, correctness, per_class),
            *_box_notes(boxes, predicted, words, table.source),
            *empty_span_notes(table),
        ),
    )


def _box_notes(
    boxes: PredictedBoxes | None, predicted: Sequence[Question], words: Mapping[str, int], source: str
) -> list[str]:
    """What suggests that boxes are in other units. Raises InputError where that is certain."""
    if boxes is None:
        return []
    return [*check_agreement(boxes, predicted, words, source), *doubts(predicted)]


def compare_predictions(table: PredictionTable, questions: Sequence[Question]) -> Correctness:
    """Compare a table's predictions with the truth; a question that it lacks has the wrong answer and an IoU of 0."""
    rows = _rows_of(table, questions)
    answers = np.append(table.answer, -2)  # neither an answer nor compare()'s mark of an unknown one
    spans = np.concatenate([table.span, [(-1.0, -1.0)]])  # no length: its IoU with any span is 0
    return compare(answers[rows], spans[rows], questions)


def _rows_of(table: PredictionTable, questions: Sequence[Question]) -> npt.NDArray[np.int64]:
    """The row of each question's prediction, or -1 if it has none. (N,)"""
    rows = {qid: row for row, qid in enumerate(table.qid.tolist())}
    return np.array([rows.get(q.qid, -1) for q in questions], np.int64)


def _predicted_questions(table: PredictionTable, questions: Sequence[Question]) -> list[Question]:
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


def _check_answers(table: PredictionTable, rows: npt.NDArray[np.int64], scored: list[Question]) -> None:
    for row, question in zip(rows.tolist(), scored, strict=True):
        if row < 0:
            continue
        if not 0 <= (answer := int(table.answer[row])) < len(question.answers):
            raise InputError(
                f"{table.source}, question {question.qid}: the predicted answer has index {answer}, "
                f"but the question has {counted(len(question.answers), 'candidate answer')}"
            )


def _notes(
    boxes: PredictedBoxes | None,
    questions: Sequence[Question],
    correctness: Correctness,
    per_class: Mapping[str, ClassScore],
) -> list[str]:
    total, scored = len(questions), len(correctness.right)
    notes = []
    if scored < total:
        notes.append(
            f"{total - scored:,} of {total:,} questions of the annotation have no prediction and aren't scored "
            "(with --all they count as wrong)"
        )
    for name, known, scores in (
        ("right answer", correctness.has_answer, "QA Acc., ASA and Grd. mAP"),
        ("time span", correctness.has_span, "Temp. mIoU, ASA and R@IoU"),
    ):
        if missing := int((~known).sum()):
            notes.append(
                f"{missing:,} of {scored:,} questions have no {name} in the annotation: left out of {scores}"
            )
    if boxes is None:
        notes.append("no Grd. mAP: the predictions contain no boxes")
    elif not per_class:
        notes.append("no Grd. mAP: no annotated box of a scored question has a label in the vocabulary")
    return notes
