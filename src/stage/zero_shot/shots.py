"""Shots: where a film was cut, seen in its pixels"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stage.types import FRAMES_PER_SECOND, Array, Image

GRID = 8
"""Cells of a frame's layout, across and down."""
DIM = GRID * GRID * 3
LEAST_CHANGE = 0.12
"""Of the layout, in shares of the range from black to white: smaller ones are no cut."""
TIMES_USUAL = 3.0
"""A cut changes the layout by so many times what the film changes around it, at least."""
NEIGHBOURHOOD = 6
"""Frames before and after a change that tell what is usual there."""


def layout(image: Image) -> Array:
    """The mean colours of the cells of a grid: (DIM,), in [0, 1]."""
    height, width = image.shape[:2]
    rows, columns = (_sample(size) for size in (height, width))
    sampled = image[np.ix_(rows.ravel(), columns.ravel())].astype(np.float32)
    cells = sampled.reshape(GRID, rows.shape[1], GRID, columns.shape[1], 3).mean((1, 3))
    return np.asarray(cells / 255, np.float32).ravel()


def _sample(size: int) -> npt.NDArray[np.int64]:
    """The pixels that are read of each cell: (GRID, samples)."""
    count = max(1, min(8, size // GRID))
    positions = (np.arange(GRID * count) + 0.5) * size / (GRID * count)
    return positions.astype(np.int64).reshape(GRID, count)


def cuts(layouts: Array, frames: Sequence[int]) -> tuple[float, ...]:
    """The times in seconds at which new shots begin, without the film's beginning. layouts: (frames, DIM).

    A cut lies between two frames: it is taken to be in the middle.
    """
    if len(frames) < 2:
        return ()
    changes = np.abs(np.diff(layouts, axis=0)).mean(1)
    found = []
    for i, change in enumerate(changes):
        low = max(0, i - NEIGHBOURHOOD)
        around = np.concatenate([changes[low:i], changes[i + 1 : i + 1 + NEIGHBOURHOOD]])
        usual = float(np.median(around)) if len(around) else 0.0
        if change >= max(LEAST_CHANGE, TIMES_USUAL * usual):
            found.append((frames[i] + frames[i + 1]) / 2 / FRAMES_PER_SECOND)
    return tuple(found)
