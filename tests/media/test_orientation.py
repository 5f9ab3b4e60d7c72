"""Frames are shown as the film's display matrix says: all eight ways to turn and mirror a picture."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from films import HEIGHT, WIDTH, numbered_picture, with_display_matrix, write_film
from stage.media.video import open_video
from stage.types import Image

PICTURE = numbered_picture(0b1011001)
TIMES = [Fraction(i, 24) for i in range(96)]

ORIENTATIONS: dict[str, tuple[tuple[int, int, int, int], Callable[[Image], Image]]] = {
    "as stored": ((1, 0, 0, 1), lambda p: p),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down, mirrored": ((1, 0, 0, -1), np.flipud),
    "half a turn": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "a quarter turn to the right": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "a quarter turn to the left": ((0, -1, 1, 0), np.rot90),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transposed along the other diagonal": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}
"""Matrix (a, b, c, d) -> what a player shows; the same as ffmpeg's own -autorotate."""


@pytest.mark.parametrize(("matrix", "shown"), ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def test_frames_are_turned_and_mirrored_as_the_film_says(
    tmp_path: Path, matrix: tuple[int, int, int, int], shown: Callable[[Image], Image]
) -> None:
    stored = write_film(tmp_path / "film.mp4", TIMES, encoder_options={"qp": "0"})
    ((_, plain),) = open_video(stored).frames((11,))
    ((_, plain_small),) = open_video(stored).frames((11,), longest_side=80)
    video = open_video(with_display_matrix(stored, *matrix))
    ((_, picture),) = video.frames((11,))
    ((_, small),) = video.frames((11,), longest_side=80)
    assert np.array_equal(picture, shown(plain))
    assert np.array_equal(small, shown(plain_small))
    assert (video.height, video.width) == picture.shape[:2] == shown(np.zeros((HEIGHT, WIDTH, 3))).shape[:2]
    assert np.abs(plain.astype(int) - numbered_picture(88)).mean() < 8


def test_the_eight_pictures_differ() -> None:
    assert len({(shown(PICTURE).shape, shown(PICTURE).tobytes()) for _, shown in ORIENTATIONS.values()}) == 8
