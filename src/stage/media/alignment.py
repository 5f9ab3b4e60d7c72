"""Subtitle alignment: the two sentences nearest to each frame (Sec. 4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stage.types import FRAMES_PER_SECOND, Sentence

NEIGHBOURS = 2
"""Sentences aligned with each frame (Sec. 4.1)."""


def aligned_sentences(frames: Sequence[int], sentences: Sequence[Sentence]) -> list[tuple[int, ...]]:
    """For each numbered frame, the two sentences whose start times are nearest (Sec. 4.1), in the text's order.

    Returns indices into `sentences`, which need not be sorted; fewer than two if there are fewer sentences. Ties
    go to the sentence that comes earlier in the text.
    """
    if not sentences:
        return [()] * len(frames)
    starts = np.array([sentence.start for sentence in sentences])
    order = np.argsort(starts, kind="stable")
    times = np.asarray(frames, dtype=np.float64) / FRAMES_PER_SECOND
    near, valid = _candidates(starts[order], times)
    index = order[near]
    distance = np.where(valid, np.abs(starts[index] - times[:, None]), np.inf)
    nearest = np.lexsort((index, distance))[:, : min(NEIGHBOURS, len(starts))]
    return [tuple(row) for row in np.sort(np.take_along_axis(index, nearest, axis=1)).tolist()]


def _candidates(starts: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the sorted `starts` that include the two nearest to each time, (T, 5), and which are valid.

    After a time: the next two. Before it: the first two sentences that share the latest start, and the first of
    those that share the start before that; equal starts are in the text's order.
    """
    after = np.searchsorted(starts, times, side="left")
    latest = np.searchsorted(starts, starts[np.maximum(after - 1, 0)], side="left")
    before = np.searchsorted(starts, starts[np.maximum(latest - 1, 0)], side="left")
    near = np.stack([before, latest, latest + 1, after, after + 1], axis=1)
    valid = np.stack(
        [latest > 0, after > 0, latest + 1 < after, after < len(starts), after + 1 < len(starts)], axis=1
    )
    return np.minimum(near, len(starts) - 1), valid
