"""The evidence page of one or many answers about a film"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from stage.inference.answerer import OpenFilm
from stage.page import frames_to_show, render, write_page
from stage.types import Evidence

LONGEST_SIDE, LEAST_SIDE = 640, 160
MOST_BYTES = 2**29
"""Of the pictures in memory, which many questions about a long film have to share."""


def write_film_page(path: Path, film: OpenFilm, answers: Sequence[Evidence]) -> None:
    """Write one page about all answers; a picture that several show is read once.

    Raises InputError if the film can't be read any more, or the page can't be written.
    """
    frames = sorted({frame for evidence in answers for frame in frames_to_show(evidence)})
    images = film.pictures(frames, longest_side=_side(film, len(frames)))
    entries = [(evidence, {f: images[f] for f in frames_to_show(evidence)}) for evidence in answers]
    write_page(path, render(entries, title=film.film.name))


def _side(film: OpenFilm, count: int) -> int:
    """The longest side in pixels with which all pictures fit into MOST_BYTES."""
    width, height = film.clip.width, film.clip.height
    share = min(width, height) / max(width, height, 1)
    fitting = math.isqrt(int(MOST_BYTES / (3 * max(count, 1) * max(share, 0.01))))
    return max(LEAST_SIDE, min(LONGEST_SIDE, fitting))
