"""Whether predicted and true boxes agree only if they are read in another unit or order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stage.annotation.box_units import (
    Corners,
    count_inverted,
    fractions_message,
    refuse_other_units,
    sizes_may_be_edges,
    true_corners,
)
from stage.annotation.predictions import PredictedBoxes
from stage.errors import InputError
from stage.geometry import Numbers, Singles
from stage.metrics.grounding import TRUE_POSITIVE_IOU, same_word_pairs
from stage.types import Question
from stage.wording import counted

ENOUGH_PAIRS = 10
"""Pairs that must match in another reading of the boxes before they are refused."""
TIMES_AS_MANY = 2
"""How many times as many pairs must match in another order as in the stated one."""
TIMES_AS_MANY_SCALED = 4
"""The same for another scale, which is fitted."""
CERTAIN_PAIRS = 30
"""Pairs that must match at another scale before boxes are refused."""
FOLLOWING = 0.2
"""The correlation of predicted and true centres along an axis from which predictions follow the truth."""
SCALES = (0.8, 1.25)
"""Predicted boxes of another scale than the true ones are outside this range along an axis."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Another reading of the boxes."""

    matches: int
    """Pairs of a predicted and a true box with IoU 0.5."""
    meaning: str
    times: int
    """How many times as many pairs must match as in the stated reading."""
    certain: bool
    """Whether many more matches prove it."""


def check_agreement(
    boxes: PredictedBoxes, questions: Sequence[Question], vocabulary: Mapping[str, int], source: str
) -> list[str]:
    """Notes on predicted boxes that may be in other units than the true ones.

    Raises InputError where that is certain; the rule is in docs/reference/files.md. source: the prediction file.
    """
    refuse_other_units(boxes.corners, source)
    if message := fractions_message(questions):
        raise InputError(f"the annotation of {source}: {message}")
    notes = []
    if inverted := count_inverted(boxes.corners):
        notes.append(
            f"{inverted:,} of {counted(len(boxes), 'predicted box', 'predicted boxes')} end left of or above where "
            "they start: they match nothing"
        )
    predicted, true = same_word_pairs(boxes, questions, vocabulary)
    readings = [*_orders(boxes.corners, true_corners(questions), predicted, true)]
    readings += _scales(boxes.corners, true_corners(questions), predicted, true)
    if not readings:
        return notes
    matches, best = _matches(predicted, true), max(readings, key=lambda reading: reading.matches)
    if best.matches >= ENOUGH_PAIRS and best.matches >= best.times * matches:
        message = (
            f"{best.meaning}: so read, {best.matches:,} pairs of a predicted and a true box match (IoU 0.5), "
            f"as they are {matches:,}"
        )
        if best.certain:
            raise InputError(
                f"{source}: {message}; boxes must be in pixels of the film, in the order of the format"
            )
        notes.append(f"boxes may be in other units; {message}")
    return notes


def _orders(boxes: Corners, annotated: Corners, predicted: Singles, true: Singles) -> Iterator[_Reading]:
    """The other orders of sides that all boxes allow: boxes, annotated. predicted, true: the pairs (P, 4)."""
    if count_inverted(boxes):
        yield _Reading(
            _matches(_from_size(predicted), true),
            "the predicted boxes are left, top, width, height",
            TIMES_AS_MANY,
            certain=True,
        )
        yield _Reading(
            _matches(_from_centre(predicted), true),
            "the predicted boxes are centre x, centre y, width, height",
            TIMES_AS_MANY,
            certain=True,
        )
    if sizes_may_be_edges(annotated):
        yield _Reading(
            _matches(predicted, _size_from_corner(true)),
            "width and height of the annotation hold the right and bottom edges",
            TIMES_AS_MANY,
            certain=True,
        )


def _scales(boxes: Corners, annotated: Corners, predicted: Singles, true: Singles) -> Iterator[_Reading]:
    """The scale that maps the predicted boxes' median centre to the true one, unless it is about 1."""
    if len(predicted) < ENOUGH_PAIRS:
        return
    centres, true_centres = _centres(predicted), _centres(true)
    medians = np.median(centres, axis=0), np.median(true_centres, axis=0)
    if not all((median > 0).all() for median in medians):
        return
    scale = medians[1] / medians[0]
    if ((scale < SCALES[0]) | (scale > SCALES[1])).any():
        # Boxes that are merely wrong may match better at some scale: that proves nothing unless they follow the true
        # ones and lie in another frame.
        beyond = _lies_beyond(boxes, annotated) or _lies_beyond(true, boxes)
        following = any(_correlation(*xs) >= FOLLOWING for xs in zip(centres.T, true_centres.T, strict=True))
        matches = _matches(predicted * np.tile(scale, 2).astype(np.float32), true)
        yield _Reading(
            matches,
            "the predicted boxes are in other units than the annotation's, by a factor of "
            f"{scale[0]:.3g} horizontally and {scale[1]:.3g} vertically",
            TIMES_AS_MANY_SCALED,
            certain=beyond and following and matches >= CERTAIN_PAIRS,
        )


def _correlation(a: Numbers, b: Numbers) -> float:
    """Pearson's correlation; 0 if either is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def _lies_beyond(corners: Numbers, others: Numbers) -> bool:
    """Whether the median centre of boxes is right of, or below, all the others."""
    return bool((np.median(_centres(corners), axis=0) > others[:, 2:].max(axis=0)).any())


def _matches(predicted: Singles, true: Singles) -> int:
    """The number of pairs with IoU 0.5, without the pixels that the scorer adds. (P, 4) and (P, 4)"""
    sides = np.minimum(predicted[:, 2:], true[:, 2:]) - np.maximum(predicted[:, :2], true[:, :2])
    intersection = sides.clip(min=0).prod(axis=1)
    areas = [(corners[:, 2:] - corners[:, :2]).clip(min=0).prod(axis=1) for corners in (predicted, true)]
    union = areas[0] + areas[1] - intersection
    return int(((union > 0) & (intersection >= TRUE_POSITIVE_IOU * union)).sum())


def _centres(corners: Numbers) -> Numbers:
    centres: Numbers = (corners[:, :2] + corners[:, 2:]) / 2
    return centres


def _from_size(boxes: Singles) -> Singles:
    """Boxes (P, 4) that are left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _from_centre(boxes: Singles) -> Singles:
    """Boxes (P, 4) that are centre x, centre y, width, height."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _size_from_corner(corners: Singles) -> Singles:
    """Corners (P, 4) read with right = left + width, where the file's width is the right edge."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
