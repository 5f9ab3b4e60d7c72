"""Training labels: spans as frame positions, boxes as positive regions.

The rules, rounding included, are those of the authors' release (docs/stage.md, "From annotation to tensors"). One of
them holds for its own data alone: it reads no frame after LAST_FRAME, and squeezes the times of longer clips into
those frames. Other data are read to the clip's end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stage.annotation.vocabulary import fold_case
from stage.geometry import Numbers, release_label_iou
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Box, Question

LAST_FRAME = 300
"""The last numbered frame that the release reads; in longer clips, it scales times down to it."""
POSITIVE_IOU = 0.5
"""Regions with at least this IoU with a box are positive for its label."""


def frames_of_question(
    question: Question, frame_count: int, last_frame: int | None = None
) -> tuple[int, ...]:
    """The numbered frames that the model reads for a question: every sixth, in phase with the annotated ones.

    last_frame: LAST_FRAME for released data; None reads to the clip's end.
    """
    first = 1
    if question.boxes:
        first = min(question.boxes) % MODEL_STRIDE or MODEL_STRIDE
    end = frame_count if last_frame is None else min(frame_count, last_frame)
    return tuple(range(first, end + 1, MODEL_STRIDE)) or (1,)


def span_in_frames(
    span: tuple[float, float], frames: Sequence[int], frame_count: int, last_frame: int | None = None
) -> tuple[int, int]:
    """First and last position in `frames` of a span in seconds; the last is never before the first.

    frames: numbered frames that the model reads, every sixth. last_frame: as for `frames_of_question`; times of a
    clip that is longer are scaled down to it, and None leaves all times as they are.
    """
    scale = last_frame / frame_count if last_frame is not None and frame_count > last_frame else 1.0
    start, end = (second * FRAMES_PER_SECOND * scale for second in span)
    zero_based = np.asarray(frames) - 1
    last = len(frames) - 1
    first_position = min(int(np.searchsorted(zero_based, start, side="left")), last)
    last_position = min(max(int(np.searchsorted(zero_based, end, side="right")) - 1, 0), last)
    return first_position, max(first_position, last_position)


def span_in_seconds(start: int, end: int, first_frame: int) -> tuple[float, float]:
    """Start and end in seconds of the frames at positions `start` to `end`, in a list that begins with `first_frame`.

    Each frame stands for two seconds: those after it, or those before it if its number is a multiple of six. So the
    end may lie past the clip's, by less than those two seconds and a frame.
    """
    seconds = MODEL_STRIDE // FRAMES_PER_SECOND
    offset = first_frame / FRAMES_PER_SECOND - (0 if first_frame % MODEL_STRIDE else seconds)
    return seconds * start + offset, seconds * (end + 1) + offset


def positive_regions(
    words: Sequence[str], annotated: Sequence[Sequence[Box]], detected: Sequence[Numbers]
) -> npt.NDArray[np.int64]:
    """Sorted rows (frame, word, region): the region overlaps a box of the frame whose label is the word.

    annotated: the boxes of F frames; detected: for each of these frames, (N, 4) corners of its regions. Overlap is
    an IoU of POSITIVE_IOU, as the release computes it. Returns (R, 3) positions.
    """
    positions: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        positions.setdefault(fold_case(word), []).append(i)
    pairs = [
        (f, i, box)
        for f, boxes in enumerate(annotated)
        for box in boxes
        for i in positions.get(fold_case(box.label), ())
    ]
    counts = np.array([len(regions) for regions in detected])
    if not pairs or not counts.any():
        return np.zeros((0, 3), np.int64)
    # All frames in one call: a single frame has so few boxes that the call would cost more than the arithmetic.
    corners = np.array([box.corners for _, _, box in pairs], np.float64)
    overlapping = release_label_iou(np.concatenate(detected).astype(np.float64), corners) >= POSITIVE_IOU
    frame = np.repeat(np.arange(len(counts)), counts)
    region = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    overlapping &= frame[:, None] == np.array([f for f, _, _ in pairs])
    row, pair = np.nonzero(overlapping)
    table = np.zeros((len(counts), len(words), counts.max()), bool)
    table[frame[row], np.array([i for _, i, _ in pairs])[pair], region[row]] = True
    return np.argwhere(table)
