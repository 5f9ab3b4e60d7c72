"""Merging the submissions of several annotators, and their agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from stage.annotation.issues import Issues
from stage.annotation.vocabulary import normalise_word
from stage.collecting.submissions import RefinedQuestion, read_submission
from stage.errors import InputError
from stage.geometry import box_iou, span_iou
from stage.types import Box, Question


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two annotators agree on a question."""

    qid: int
    files: tuple[Path, Path]
    """Their submissions; the annotation is that of the first."""
    span: float
    """IoU of their spans."""
    boxes: Mapping[str, float]
    """Concept (normalised) -> mean IoU of its boxes over the frames that both annotated, if one of them drew any."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged annotation."""

    questions: tuple[Question, ...]
    """In the order of their file."""
    agreements: tuple[Agreement, ...]
    """One for each pair of annotators of the same question."""
    issues: Issues


def merge(questions: Sequence[Question], files: Sequence[Path], rest: bool = False) -> Merged:
    """The annotated questions, each as in the first submission that contains it.

    rest: also return the questions that nobody annotated, unchanged. Raises InputError naming the file and question
    that can't be merged.
    """
    asked = {question.qid: question for question in questions}
    if len(set(map(Path.absolute, files))) < len(files):
        raise InputError("a submission is given twice; give each once")
    issues = Issues()
    refinements: dict[int, list[RefinedQuestion]] = {}
    for file in files:
        for refined in read_submission(file, asked, issues):
            refinements.setdefault(refined.question.qid, []).append(refined)
    return Merged(
        tuple(
            refinements[q.qid][0].question if q.qid in refinements else q
            for q in questions
            if rest or q.qid in refinements
        ),
        tuple(
            agreement(*pair)
            for q in questions
            if len(refinements.get(q.qid, ())) > 1
            for pair in combinations(refinements[q.qid], 2)
        ),
        issues,
    )


def agreement(a: RefinedQuestion, b: RefinedQuestion) -> Agreement:
    """How far two annotators agree on the same question."""
    spans = [np.array([refined.question.span], np.float64) for refined in (a, b)]
    ious: dict[str, list[float]] = {}
    for frame in sorted(a.question.boxes.keys() & b.question.boxes.keys()):
        one, other = (_by_label(refined.question.boxes[frame]) for refined in (a, b))
        for label in sorted(one.keys() | other.keys()):
            ious.setdefault(label, []).append(mutual_iou(one.get(label, []), other.get(label, [])))
    return Agreement(
        a.question.qid,
        (a.file, b.file),
        float(span_iou(*spans)[0]),
        {label: float(np.mean(values)) for label, values in ious.items()},
    )


def mutual_iou(one: Sequence[Box], other: Sequence[Box]) -> float:
    """Mean IoU of two annotators' boxes of a concept in a frame; a box without a partner counts as 0.

    Boxes are matched one to one such that the sum of their IoUs is the largest possible. At least one of the two
    annotators has boxes.
    """
    if not one or not other:
        return 0.0
    iou = box_iou(np.array([box.corners for box in one]), np.array([box.corners for box in other]))
    matched = iou[linear_sum_assignment(iou, maximize=True)]
    return float(matched.sum()) / max(len(one), len(other))


def _by_label(boxes: Sequence[Box]) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for box in boxes:
        found.setdefault(normalise_word(box.label), []).append(box)
    return found
