"""What several people have done -> one annotation, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from stage.annotation.issues import Issues
from stage.annotation.vocabulary import fold
from stage.collecting.submissions import Refined, read_submission
from stage.errors import InputError
from stage.metrics.answers import span_iou
from stage.metrics.proposals import box_iou
from stage.types import Box, Question


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two people agree about a question."""

    qid: int
    files: tuple[Path, Path]
    """The first one's work is taken."""
    span: float
    """IoU of the spans."""
    boxes: Mapping[str, float]
    """Concept (folded) -> mean IoU of its boxes over the frames that both looked at; none if neither saw it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Questions in the order of their file, and how those agree that were done more than once."""

    questions: tuple[Question, ...]
    agreements: tuple[Agreement, ...]
    findings: Issues


def merge(questions: Sequence[Question], files: Sequence[Path], rest: bool = False) -> Merged:
    """The questions that were done, each as in the first file that has it.

    rest: also the others, as they are. Raises InputError naming the file and question that can't be merged.
    """
    asked = {question.qid: question for question in questions}
    if len(set(map(Path.absolute, files))) < len(files):
        raise InputError("a saved file is given twice; give each once")
    findings = Issues()
    done: dict[int, list[Refined]] = {}
    for file in files:
        for refined in read_submission(file, asked, findings):
            done.setdefault(refined.question.qid, []).append(refined)
    return Merged(
        tuple(done[q.qid][0].question if q.qid in done else q for q in questions if rest or q.qid in done),
        tuple(
            agreement(*pair)
            for q in questions
            if len(done.get(q.qid, ())) > 1
            for pair in combinations(done[q.qid], 2)
        ),
        findings,
    )


def agreement(a: Refined, b: Refined) -> Agreement:
    """How far two people agree about the same question."""
    spans = [np.array([refined.question.span], np.float64) for refined in (a, b)]
    overlaps: dict[str, list[float]] = {}
    for frame in sorted(a.question.boxes.keys() & b.question.boxes.keys()):
        one, other = (_by_label(refined.question.boxes[frame]) for refined in (a, b))
        for label in sorted(one.keys() | other.keys()):
            overlaps.setdefault(label, []).append(mutual_iou(one.get(label, []), other.get(label, [])))
    return Agreement(
        a.question.qid,
        (a.file, b.file),
        float(span_iou(*spans)[0]),
        {label: float(np.mean(values)) for label, values in overlaps.items()},
    )


def mutual_iou(one: Sequence[Box], other: Sequence[Box]) -> float:
    """Mean IoU of two people's boxes of a concept in a frame; a box that the other lacks counts as 0.

    Boxes are paired, those that overlap most first. At least one of the two has boxes.
    """
    if not one or not other:
        return 0.0
    iou = box_iou(np.array([box.corners for box in one]), np.array([box.corners for box in other]))
    total = 0.0
    for _ in range(min(iou.shape)):
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        total += float(iou[row, column])
        iou = np.delete(np.delete(iou, row, axis=0), column, axis=1)
    return total / max(len(one), len(other))


def _by_label(boxes: Sequence[Box]) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for box in boxes:
        found.setdefault(fold(box.label), []).append(box)
    return found
