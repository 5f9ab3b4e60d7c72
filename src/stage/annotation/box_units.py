"""Boxes in other units than pixels, or in another order of their sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.types import Question
from stage.wording import counted

Corners = npt.NDArray[np.float64]

FRACTION_SLACK = 0.5
"""How far beyond 0 and 1 fractions of the frame may reach; such a box would be at most 2 pixels wide."""
INVERTED_SHARE = 0.1
"""The largest share of predicted boxes that may end left of or above where they start."""
ROUNDING = 5
"""How far boxes in 0..1000 may reach beyond 1000."""
ENOUGH_BOXES = 20
"""Fewer boxes than these say nothing about a whole annotation, except that they are fractions."""


def true_corners(questions: Sequence[Question]) -> Corners:
    """The annotated boxes of all questions: (B, 4), left, top, right, bottom."""
    corners = [box.corners for q in questions for boxes in q.boxes.values() for box in boxes]
    return np.array(corners, np.float64).reshape(-1, 4)


def are_fractions(corners: Corners) -> bool:
    """Whether all coordinates lie in 0..1, give or take the slack, and not all are 0. corners: (B, 4)"""
    inside = (corners >= -FRACTION_SLACK) & (corners <= 1 + FRACTION_SLACK)
    return bool(len(corners) and inside.all() and corners.any())


def refuse_fractions(questions: Sequence[Question], path: Path) -> None:
    """Raise InputError if the annotated boxes of a file are fractions of the frame."""
    if message := fractions_message(questions):
        raise InputError(f"{path}: {message}")


def fractions_message(questions: Sequence[Question]) -> str | None:
    """Why the annotated boxes can't be pixels; None if they can."""
    corners = true_corners(questions)
    if not are_fractions(corners):
        return None
    return (
        f"no annotated box ({len(corners):,} in all) reaches beyond 1, so they are fractions of the frame; "
        "multiply left and width by the film's width in pixels, top and height by its height"
    )


def refuse_other_units(corners: Corners, source: str) -> None:
    """Raise InputError if predicted boxes (B, 4) can't be left, top, right, bottom in pixels."""
    if are_fractions(corners):
        raise InputError(
            f"{source}: no predicted box ({len(corners):,} in all) reaches beyond 1, so they are fractions of the "
            "frame; boxes are left, top, right, bottom in pixels of the film"
        )
    inverted = count_inverted(corners)
    if inverted > INVERTED_SHARE * len(corners):
        raise InputError(
            f"{source}: {inverted:,} of {len(corners):,} predicted boxes end left of or above where they start; "
            "boxes are left, top, right, bottom in pixels, not left, top, width, height"
        )


def count_inverted(corners: Corners) -> int:
    """The number of boxes whose right or bottom edge comes before the left or top one. corners: (B, 4)"""
    return int(((corners[:, 2] < corners[:, 0]) | (corners[:, 3] < corners[:, 1])).sum())


def sizes_may_be_edges(corners: Corners) -> bool:
    """Whether every annotated width and height could be a right and a bottom edge instead. corners: (B, 4)"""
    return bool((corners[:, 2:] - corners[:, :2] > corners[:, :2]).all())


def doubts(questions: Sequence[Question]) -> Iterator[str]:
    """What suggests that annotated boxes are in other units, though the film's size would be needed to be certain."""
    corners = true_corners(questions)
    if len(corners) < ENOUGH_BOXES:
        return
    if small := [q.qid for q in questions if _lies_in_one_pixel(q)]:
        yield f"the boxes of {counted(len(small), 'question')} (first: {small[0]}) lie in 0..1, which is one pixel"
    right, bottom = corners[:, 2:].T
    if all(900 < edge.max() <= 1000 + ROUNDING for edge in (right, bottom)):
        yield (
            f"the {len(corners):,} annotated boxes fill a square of {right.max():.0f} x {bottom.max():.0f}: "
            "unless the films are square, they are in 0..1000 and not in pixels"
        )
    if sizes_may_be_edges(corners):
        yield (
            f"in all {len(corners):,} annotated boxes, width is larger than left and height larger than top: "
            "width and height may hold the right and bottom edges"
        )


def _lies_in_one_pixel(question: Question) -> bool:
    """`are_fractions` for one question, which stops at its first box in pixels."""
    boxes = [box for of_frame in question.boxes.values() for box in of_frame]
    largest = 1 + FRACTION_SLACK
    return bool(boxes) and all(max(map(abs, box.corners)) <= largest for box in boxes)
