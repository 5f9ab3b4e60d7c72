"""Windows of a film that stand out: begin and end at cuts, in long shots anywhere"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stage.types import Array

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """All windows of a film: frames from `first` up to `last`, which is included, and their times in seconds."""

    first: Positions
    last: Positions
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def of(
        cls,
        times: Array,
        edges: Sequence[float],
        cuts: Sequence[float] | None,
        long_shot: float,
        longest: float,
    ) -> Windows:
        """The windows of a film whose frames are at `times`, and stand for the time between `edges`.

        They begin and end at cuts. In shots longer than `long_shot` seconds, and in films without cuts, or whose cuts
        are not known, they begin and end anywhere. None is longer than `longest` seconds, unless it is a single shot.
        """
        inside = [cut for cut in cuts or () if edges[0] < cut < edges[-1]]
        shots = [edges[0], *inside, edges[-1]]
        bounds = set(shots)
        for start, end in pairwise(shots):
            if end - start > long_shot or not inside:
                bounds |= {edge for edge in edges if start < edge < end}
        ordered = np.array(sorted(bounds))
        owner = np.searchsorted(ordered, times, side="right") - 1  # the last frame may be at the end itself
        owner = np.minimum(owner, len(ordered) - 2)
        before = np.searchsorted(owner, np.arange(len(ordered)), side="left")
        first, last, start_at, end_at = [], [], [], []
        for i in range(len(ordered) - 1):
            end = np.searchsorted(ordered, ordered[i] + longest, side="right")
            for j in range(i + 1, min(max(int(end), i + 2), len(ordered))):
                if before[j] > before[i]:
                    first.append(int(before[i]))
                    last.append(int(before[j]) - 1)
                    start_at.append(float(ordered[i]))
                    end_at.append(float(ordered[j]))
        return cls(np.array(first), np.array(last), np.array(start_at), np.array(end_at))

    @property
    def sizes(self) -> Positions:
        """Frames in each."""
        return self.last - self.first + 1

    def sums(self, curves: Array) -> npt.NDArray[np.float64]:
        """The sum of curves over each window: (..., T) -> (..., windows)."""
        total = np.concatenate(
            [np.zeros((*curves.shape[:-1], 1)), np.cumsum(curves, -1, dtype=np.float64)], -1
        )
        sums: npt.NDArray[np.float64] = total[..., self.last + 1] - total[..., self.first]
        return sums

    def standing_out(self, curves: Array, exponent: float) -> npt.NDArray[np.float64]:
        """How far each window stands out of the film: (..., T) -> (..., windows).

        The sum of how far the curve is above its mean over the film, by the number of frames to the power of
        `exponent`: 0 prefers long windows, 1 the highest frame; 0.5 is how surprising it would be by chance.
        """
        above = curves - curves.mean(-1, keepdims=True)
        return np.asarray(self.sums(above) / self.sizes**exponent, np.float64)

    def highest(self, curves: Array, chosen: Positions) -> npt.NDArray[np.float64]:
        """The highest value of each curve in its window: (K, T), (K,) -> (K,)."""
        return np.array(
            [float(curve[self.frames_of(i)].max()) for curve, i in zip(curves, chosen, strict=True)]
        )

    def means(self, curves: Array, chosen: Positions) -> npt.NDArray[np.float64]:
        """The mean of each curve in its window: (K, T), (K,) -> (K,)."""
        return np.array(
            [float(curve[self.frames_of(i)].mean()) for curve, i in zip(curves, chosen, strict=True)]
        )

    def frames_of(self, window: int) -> slice:
        """The positions of a window's frames."""
        return slice(int(self.first[window]), int(self.last[window]) + 1)
