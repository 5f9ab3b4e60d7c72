"""Merging the submissions of several annotators, and their agreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from stage.annotation.issues import Issues
from stage.annotation.vocabulary import normalise_word
from stage.collecting.fitting import clips_of, fitted
from stage.collecting.submissions import TOLERANCE, RefinedQuestion, read_submission
from stage.errors import InputError
from stage.geometry import box_iou, span_iou
from stage.types import Box, Clip, Question


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
    clips: Mapping[str, Clip]
    """The clips that were annotated, in the size that their boxes are in."""
    issues: Issues


def merge(
    questions: Sequence[Question],
    files: Sequence[Path],
    rest: bool = False,
    films: Mapping[str, Clip] | None = None,
) -> Merged:
    """The annotated questions, each as in the first submission that contains it.

    rest: also return the questions that nobody annotated, unchanged. films: the clips as they are; boxes that were
    drawn on a film of another size are scaled. Raises InputError naming the file and question that can't be merged,
    or two files that were made from different films.
    """
    asked = {question.qid: question for question in questions}
    if len(set(map(Path.absolute, files))) < len(files):
        raise InputError("a submission is given twice; give each once")
    issues = Issues()
    submissions = [read_submission(file, asked, issues) for file in files]
    if films is not None:
        submissions = [fitted(submission, films, issues) for submission in submissions]
    clips = clips_of(submissions)
    refinements: dict[int, list[RefinedQuestion]] = {}
    for submission in submissions:
        for refined in submission.questions:
            refinements.setdefault(refined.question.qid, []).append(refined)
    if rest:
        _note_spans_beyond(
            (q for q in questions if q.qid not in refinements), {**clips, **(films or {})}, issues
        )
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
        clips,
        issues,
    )


def _note_spans_beyond(questions: Iterable[Question], clips: Mapping[str, Clip], issues: Issues) -> None:
    for q in questions:
        if q.span and q.clip in clips and q.span[1] > clips[q.clip].duration + TOLERANCE:
            issues.add("spans beyond the end of the clip, without a submission", f"question {q.qid}")


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
