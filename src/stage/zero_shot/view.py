"""What was seen and said in a film or clip, from which all questions about it are answered"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stage.types import FRAMES_PER_SECOND, Array, Box, Clip, Regions, Sentence
from stage.zero_shot.colours import DIM as COLOURS

Found = Mapping[str, Mapping[int, tuple[Box, ...]]]
"""Phrase -> numbered frame -> the boxes found in it, best first."""
NEAR = 1.0
"""Seconds that a frame may be before or after a sentence that counts as said in it."""


@dataclass(frozen=True, eq=False)
class View:
    """What was seen and said. Frames are numbered, in increasing order; there is at least one."""

    clip: Clip
    frames: tuple[int, ...]
    """The T frames that were looked at."""
    regions: Sequence[Regions]
    """Of each frame; features are the colours of parts (`colours.DIM`), or without numbers."""
    cuts: tuple[float, ...] | None = None
    """Times in seconds at which new shots begin, without the film's beginning; None if they are not known."""
    frame_colours: Array | None = None
    """(T, names): the shares of colours in each frame as a whole; None if its pixels are not known."""
    image_vectors: Array | None = None
    """(T, dim): of an image-text encoder; None without one."""
    find: Callable[[Sequence[str]], Found] | None = None
    """Finds phrases in the frames by an open-vocabulary detector; None without one."""

    @cached_property
    def times(self) -> Array:
        """(T,): of the frames, in seconds."""
        return np.asarray(np.array(self.frames) / FRAMES_PER_SECOND, np.float32)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({label for regions in self.regions for label in regions.labels}))

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """(R,): the position of the frame that each labelled region is in."""
        return np.repeat(np.arange(len(self.regions)), [len(regions.labels) for regions in self.regions])

    @cached_property
    def kind(self) -> npt.NDArray[np.int64]:
        """(R,): the position of each region's label in `labels`."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[label] for regions in self.regions for label in regions.labels], np.int64)

    @cached_property
    def scores(self) -> Array:
        """(R,)"""
        return self._joined([r.scores for r in self.regions if r.labels], (0,))

    @cached_property
    def boxes(self) -> Array:
        """(R, 4)"""
        return self._joined([r.boxes for r in self.regions if r.labels], (0, 4))

    @cached_property
    def colours(self) -> Array | None:
        """(R, DIM of colours): of the regions; None if their pixels are not known."""
        features = [r.features for r in self.regions if r.labels]
        if not features or any(array.shape[1] != COLOURS for array in features):
            return None
        return self._joined(features, (0, COLOURS))

    @staticmethod
    def _joined(arrays: Sequence[Array], empty: tuple[int, ...]) -> Array:
        return np.concatenate(arrays).astype(np.float32) if arrays else np.zeros(empty, np.float32)

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """T + 1 times in seconds: frame t stands for the time from edge t to edge t + 1."""
        middle = (self.times[:-1] + self.times[1:]) / 2
        return (0.0, *(float(time) for time in middle), max(self.clip.duration, float(self.times[-1])))

    @cached_property
    def said(self) -> tuple[tuple[int, ...], ...]:
        """For each frame the indices of the clip's sentences that are said within NEAR seconds of it."""
        sentences = self.clip.sentences
        starts = np.array([s.start for s in sentences]) - NEAR
        ends = np.array([max(s.end, s.start) for s in sentences]) + NEAR
        return tuple(
            tuple(np.flatnonzero((starts <= time) & (time <= ends)).tolist()) for time in self.times.tolist()
        )

    def sentences_at(self, position: int) -> tuple[Sentence, ...]:
        """The sentences that are said at the frame at this position."""
        return tuple(self.clip.sentences[i] for i in self.said[position])

    def highest(self, values: Array) -> Array:
        """The highest value among each frame's regions, 0 where there is none: (..., R) -> (..., T)."""
        best = np.zeros((*values.shape[:-1], len(self.frames)), np.float32)
        if values.shape[-1]:
            counts = np.bincount(self.owner, minlength=len(self.frames))
            filled = np.flatnonzero(counts)
            starts = (np.cumsum(counts) - counts)[filled]
            best[..., filled] = np.maximum(np.maximum.reduceat(values, starts, axis=-1), 0)
        return best
