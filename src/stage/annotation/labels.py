"""From annotation in seconds and pixels to positions in frames, words and regions, and back.

The rules, rounding included, are those of the authors' release (docs/stage.md, "From annotation to tensors").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Box, Question

Numbers = npt.NDArray[np.floating[Any]]

LAST_FRAME = 300
"""Numbered frames beyond this one are not looked at; times of longer clips are squeezed to fit."""
POSITIVE_IOU = 0.5


def frames_of_question(question: Question, frame_count: int) -> tuple[int, ...]:
    """The numbered frames that a question is seen through: every sixth, so that annotated ones are among them."""
    first = 1
    if question.boxes:
        first = min(question.boxes) % MODEL_STRIDE or MODEL_STRIDE
    return tuple(range(first, min(frame_count, LAST_FRAME) + 1, MODEL_STRIDE)) or (1,)


def span_in_frames(span: tuple[float, float], frames: Sequence[int], frame_count: int) -> tuple[int, int]:
    """First and last position in `frames` of a span in seconds; the last is never before the first."""
    squeeze = LAST_FRAME / frame_count if frame_count > LAST_FRAME else 1.0
    start, end = (second * FRAMES_PER_SECOND * squeeze for second in span)
    zero_based = np.asarray(frames) - 1
    last = len(frames) - 1
    first_position = min(int(np.searchsorted(zero_based, start, side="left")), last)
    last_position = min(max(int(np.searchsorted(zero_based, end, side="right")) - 1, 0), last)
    return first_position, max(first_position, last_position)


def span_in_seconds(start: int, end: int, first_frame: int) -> tuple[float, float]:
    """The seconds of the frames from position `start` to `end`, in a list that begins with `first_frame`."""
    offset = first_frame % MODEL_STRIDE / FRAMES_PER_SECOND
    seconds = MODEL_STRIDE // FRAMES_PER_SECOND
    return seconds * start + offset, seconds * (end + 1) + offset


def iou_matrix(detected: Numbers, annotated: Numbers) -> Numbers:
    """IoU as the release computes it for labels: (N, 4) and (M, 4) corners -> (N, M), to four decimals.

    One pixel is added to both sides of the intersection, and not to the areas.
    """
    upper = np.maximum(detected[:, None, :2], annotated[None, :, :2])
    lower = np.minimum(detected[:, None, 2:], annotated[None, :, 2:])
    width, height = np.moveaxis(np.maximum(lower - upper + 1, 0), -1, 0)
    shared = width * height
    areas = _areas(detected)[:, None] + _areas(annotated)[None, :] - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = np.where(areas > 0, shared / areas, 0.0)
    rounded: Numbers = np.round(iou, 4)
    return rounded


def _areas(boxes: Numbers) -> Numbers:
    areas: Numbers = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def positive_regions(
    words: Sequence[str], annotated: Sequence[Box], detected: Numbers
) -> npt.NDArray[np.int64]:
    """Rows (word, region): the word is the label of an annotated box that the region overlaps by half.

    detected: (N, 4) corners. Rows in the order of words, then of regions.
    """
    if not len(annotated) or not len(detected):
        return np.zeros((0, 2), np.int64)
    corners = np.array([box.corners for box in annotated], np.float64)
    overlapping = iou_matrix(np.asarray(detected, np.float64), corners) >= POSITIVE_IOU
    labels = np.array([box.label.lower() for box in annotated])
    shows = {label: overlapping[:, labels == label].any(axis=1) for label in set(labels)}
    nothing = np.zeros(len(detected), bool)
    table = np.array([shows.get(word.lower(), nothing) for word in words]).reshape(len(words), -1)
    return np.argwhere(table)
