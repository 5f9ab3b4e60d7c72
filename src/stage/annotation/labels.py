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
    sides = np.minimum(detected[:, None, 2:], annotated[:, 2:])
    sides -= np.maximum(detected[:, None, :2], annotated[:, :2])
    sides += 1
    np.maximum(sides, 0, out=sides)
    shared = sides[..., 0] * sides[..., 1]
    areas = _areas(detected)[:, None] + _areas(annotated) - shared
    iou = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)
    rounded: Numbers = iou.round(4)
    return rounded


def _areas(boxes: Numbers) -> Numbers:
    sides = boxes[:, 2:] - boxes[:, :2]
    areas: Numbers = sides[:, 0] * sides[:, 1]
    return areas


def positive_regions(
    words: Sequence[str], annotated: Sequence[Sequence[Box]], detected: Sequence[Numbers]
) -> npt.NDArray[np.int64]:
    """Rows (frame, word, region), rising: the word labels a box of the frame that the region overlaps by half.

    annotated: the boxes of F frames; detected: for each of them (N, 4) corners.
    """
    places: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        places.setdefault(word.lower(), []).append(i)
    pairs = [
        (f, i, box)
        for f, boxes in enumerate(annotated)
        for box in boxes
        for i in places.get(box.label.lower(), ())
    ]
    counts = np.array([len(regions) for regions in detected])
    if not pairs or not counts.any():
        return np.zeros((0, 3), np.int64)
    # All frames at once: for the few boxes of one, the calls cost more than the numbers.
    corners = np.array([box.corners for _, _, box in pairs], np.float64)
    overlapping = iou_matrix(np.concatenate(detected).astype(np.float64), corners) >= POSITIVE_IOU
    frame = np.repeat(np.arange(len(counts)), counts)
    region = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    overlapping &= frame[:, None] == np.array([f for f, _, _ in pairs])
    row, pair = np.nonzero(overlapping)
    table = np.zeros((len(counts), len(words), counts.max()), bool)
    table[frame[row], np.array([i for _, i, _ in pairs])[pair], region[row]] = True
    return np.argwhere(table)
