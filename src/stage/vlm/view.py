"""What a model is shown of a film: frames at its size, each with its second, and the subtitles near them"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import PIL.Image

from stage.media.frame_folder import FrameFolder
from stage.media.video import Video
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Image, Sentence
from stage.vlm.chat import Frame, Habits, Limits
from stage.vlm.moments import Span
from stage.wording import detokenised

KEPT = 64
"""Frames of a film that are held in memory."""
NEAR = 2.0
"""Seconds before and after a part of a film whose subtitles belong to it."""


@dataclass(eq=False)
class View:
    """A film as a model is shown it."""

    film: Video | FrameFolder
    clip: Clip
    limits: Limits
    habits: Habits
    _kept: dict[int, Frame] = field(default_factory=dict)

    def frames(self, numbers: Sequence[int]) -> list[Frame]:
        """Numbered frames in order, as a prompt holds them. Raises InputError if they can't be read any more."""
        missing = sorted(set(numbers) - self._kept.keys())
        for number, image in self._decoded(missing):
            self._kept[number] = Frame(self._fitted(image), number / FRAMES_PER_SECOND)
        shown = [self._kept[number] for number in sorted(set(numbers)) if number in self._kept]
        for number in [*self._kept][:-KEPT]:
            del self._kept[number]
        return shown

    def spread(self, span: Span, most: int) -> list[int]:
        """At most `most` numbered frames, evenly over a span (seconds): the middle of as many equal parts.

        Where they are further apart than two seconds, they are of those that other models read: 1, 7, 13, ...
        """
        start, end = (time * FRAMES_PER_SECOND for time in span)
        apart = (end - start) / max(1, most)
        middles = [start + (i + 0.5) * apart for i in range(most)]
        step = MODEL_STRIDE if apart >= MODEL_STRIDE else 1
        last = 1 + (self.clip.frame_count - 1) // step * step
        return sorted({min(last, max(1, 1 + step * round((middle - 1) / step))) for middle in middles})

    def said(self, span: Span) -> list[Sentence]:
        """The subtitle sentences of a part of the film, and just before and after it."""
        return [s for s in self.clip.sentences if s.end >= span[0] - NEAR and s.start <= span[1] + NEAR]

    def _decoded(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image]]:
        if not numbers:
            return iter(())
        if isinstance(self.film, FrameFolder):
            return self.film.frames(numbers)
        return self.film.frames(numbers, longest_side=self.limits.longest_side)

    def _fitted(self, image: Image) -> Image:
        """A frame no longer than the limit, whose sides are multiples of the grid."""
        height, width = image.shape[:2]
        scale, grid = min(1.0, self.limits.longest_side / max(height, width)), self.habits.grid
        size = tuple(max(grid, round(scale * side / grid) * grid) for side in (width, height))
        if size == (width, height):
            return image
        resized = PIL.Image.fromarray(image).resize((size[0], size[1]), PIL.Image.Resampling.BICUBIC)
        return np.asarray(resized, np.uint8)


def subtitles(sentences: Sequence[Sentence], near: Sequence[float], most: int) -> tuple[str, tuple[str, ...]]:
    """Sentences with their times as text of at most `most` characters, and notes.

    near: times in seconds; if there is no room for all, the sentences nearest to one of these are kept.
    """
    lines = {i: f"[{s.start:.1f} - {s.end:.1f} s] {detokenised(s.text)}" for i, s in enumerate(sentences)}

    def distance(i: int) -> float:
        middle = (sentences[i].start + sentences[i].end) / 2
        return min((abs(middle - time) for time in near), default=middle)

    room, kept = most, set()
    for i in sorted(lines, key=distance):
        room -= len(lines[i]) + 1
        if room < 0:
            break
        kept.add(i)
    text = "\n".join(lines[i] for i in sorted(kept))
    if len(kept) == len(lines):
        return text, ()
    return text, (
        f"the model was given {len(kept)} of {len(lines)} subtitle sentences: there is no room for more",
    )
