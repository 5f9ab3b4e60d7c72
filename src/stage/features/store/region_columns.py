"""Regions of many frames in memory, in a few large arrays.

A long film is encoded a few frames at a time. Small arrays that stay, allocated between large ones that are freed,
would fragment memory: by hundreds of MB for a film of an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stage.features.protocols import REGIONS_PER_FRAME
from stage.types import Regions


class RegionColumns(Mapping[int, Regions]):
    """Numbered frame -> its regions, for the frames that have been added so far.

    Features are in float16, as in a store, so that an answer is the same whether or not they were cached.
    """

    def __init__(self, frames: Sequence[int], dim: int) -> None:
        """frames: those that can be added. dim: size of a region's feature vector."""
        self._rows = {frame: row for row, frame in enumerate(frames)}
        room = (len(frames), REGIONS_PER_FRAME)
        self._boxes, self._scores = np.zeros((*room, 4), np.float32), np.zeros(room, np.float32)
        self._features = np.zeros((*room, dim), np.float16)
        self._labels: dict[int, tuple[str, ...]] = {}
        self._counts: dict[int, int] = {}

    def put(self, frame: int, regions: Regions) -> None:
        row, count = self._rows[frame], len(regions)
        self._boxes[row, :count], self._scores[row, :count] = regions.boxes, regions.scores
        self._features[row, :count] = regions.features
        self._labels[frame], self._counts[frame] = regions.labels, count

    def __getitem__(self, frame: int) -> Regions:
        row, count = self._rows[frame], self._counts[frame]
        boxes, scores = self._boxes[row, :count], self._scores[row, :count]
        features = self._features[row, :count].astype(np.float32)
        return Regions(boxes, scores, features, self._labels[frame])

    def __iter__(self) -> Iterator[int]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)
