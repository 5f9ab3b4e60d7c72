"""Which sentences are spoken around a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stage.types import FRAMES_PER_SECOND, Sentence

NEIGHBOURS = 2


def aligned_sentences(frames: Sequence[int], sentences: Sequence[Sentence]) -> list[tuple[int, ...]]:
    """For each numbered frame, the two sentences whose start times are nearest (Sec. 4.1), in the text's order.

    Fewer if there are fewer; of equally near ones the earlier.
    """
    if not sentences:
        return [()] * len(frames)
    starts = np.array([sentence.start for sentence in sentences])
    times = np.asarray(frames) / FRAMES_PER_SECOND
    nearest = np.argsort(np.abs(times[:, None] - starts), axis=1, kind="stable")[:, :NEIGHBOURS]
    return [tuple(row) for row in np.sort(nearest, axis=1).tolist()]
