"""Recall of a detector's regions: an upper limit of the grounding scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np

from stage.geometry import box_iou
from stage.types import Question, Regions

BEST_REGIONS = 20
RECALL_IOU = 0.5


def proposal_recall(
    questions: Sequence[Question],
    regions_of: Callable[[str], Mapping[int, Regions]],
    count: int = BEST_REGIONS,
) -> float:
    """The share of annotated boxes that overlap one of the `count` best regions of their frame with IoU >= 0.5.

    regions_of: clip name -> its regions by numbered frame; called once per clip. Frames without regions from the
    detector don't count. NaN if no other frame is annotated.
    """
    found = total = 0
    for clip, of_clip in groupby(sorted(questions, key=lambda q: q.clip), key=lambda q: q.clip):
        by_frame = regions_of(clip)
        for question in of_clip:
            for frame, boxes in question.boxes.items():
                if boxes and (regions := by_frame.get(frame)) is not None:
                    iou = box_iou(np.array([box.corners for box in boxes]), regions.boxes[:count])
                    found += int((iou.max(axis=1, initial=0.0) >= RECALL_IOU).sum())
                    total += len(boxes)
    return found / total if total else math.nan
