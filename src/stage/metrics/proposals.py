"""How many of the true boxes a detector's regions hold: an upper limit of what grounding can find."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.types import Question, Regions

BEST_REGIONS = 20
FOUND_IOU = 0.5

Numbers = npt.NDArray[np.floating[Any]]


def proposal_recall(
    questions: Sequence[Question],
    regions_of: Callable[[str], Mapping[int, Regions]],
    count: int = BEST_REGIONS,
) -> float:
    """Share of annotated boxes that overlap one of the `count` best regions of their frame with IoU >= 0.5.

    regions_of: name of a clip -> regions of its numbered frames; asked once a clip. Frames that no detector has
    seen don't count. NaN if nothing is annotated in those that it has.
    """
    found = total = 0
    for clip, of_clip in groupby(sorted(questions, key=lambda q: q.clip), key=lambda q: q.clip):
        seen = regions_of(clip)
        for question in of_clip:
            for frame, boxes in question.boxes.items():
                if boxes and (regions := seen.get(frame)) is not None:
                    iou = box_iou(np.array([box.corners for box in boxes]), regions.boxes[:count])
                    found += int((iou.max(axis=1, initial=0.0) >= FOUND_IOU).sum())
                    total += len(boxes)
    return found / total if total else math.nan


def box_iou(a: Numbers, b: Numbers) -> npt.NDArray[np.float64]:
    """IoU of boxes (N, 4) with boxes (M, 4), corners in pixels -> (N, M)."""
    a, b = a[:, None].astype(np.float64), b.astype(np.float64)
    intersection = (
        (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0).prod(-1)
    )
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - intersection
    iou: npt.NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return iou
