"""Frames are encoded once for each film."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from films import number_of, write_film
from stage.errors import InputError
from stage.features import frame_vectors as module
from stage.features.frame_vectors import frame_vectors
from stage.media.video import Video, open_video
from stage.types import Array, Image


class Angles:
    """An image-text encoder for tests: the vector of an image with the number n has an angle of n / 50."""

    name, dim, logit_scale, logit_bias, notes = "angles@1", 2, 1.0, None, ()

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.broken_from = 1000

    def images(self, images: Sequence[Image]) -> Array:
        numbers = [number_of(image) for image in images]
        if max(numbers) >= self.broken_from:
            raise InputError("angles@1: the model can't process an image")
        self.seen += numbers
        return np.array([[np.cos(n / 50), np.sin(n / 50)] for n in numbers], np.float32)

    def texts(self, texts: Sequence[str]) -> Array:
        raise NotImplementedError


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Three images a second, so that numbered frame k shows image k."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return open_video(write_film(path, [Fraction(i, 3) for i in range(40)], rate=3))


def test_vectors_are_in_the_order_of_the_frames_and_of_unit_length(film: Video, tmp_path: Path) -> None:
    vectors = frame_vectors(film, [7, 1, 7], Angles(), tmp_path)
    assert vectors.shape == (3, 2)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.arctan2(vectors[:, 1], vectors[:, 0]), [7 / 50, 1 / 50, 7 / 50], atol=1e-3)
    assert frame_vectors(film, [], Angles(), tmp_path).shape == (0, 2)


def test_only_frames_that_were_never_encoded_are_encoded(film: Video, tmp_path: Path) -> None:
    encoder = Angles()
    first = frame_vectors(film, [1, 7], encoder, tmp_path)
    again = frame_vectors(film, [1, 2, 7], encoder, tmp_path)
    assert encoder.seen == [1, 7, 2]
    assert np.array_equal(first, again[[0, 2]])
    other = Angles()
    other.name = "angles@2"
    frame_vectors(film, [1], other, tmp_path)
    assert other.seen == [1]


def test_what_was_encoded_is_kept_when_it_ends_early(film: Video, tmp_path: Path) -> None:
    encoder, calls = Angles(), []
    encoder.broken_from = 20
    with pytest.raises(InputError, match="can't process"):
        frame_vectors(film, range(1, 30), encoder, tmp_path, lambda *call: calls.append(call))
    assert calls == [(8, 29, "frames"), (16, 29, "frames")]
    repaired = Angles()
    frame_vectors(film, range(1, 30), repaired, tmp_path)
    assert repaired.seen == list(range(17, 30))


def test_it_is_saved_as_it_goes_on(film: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    keep = module.RegionCache.keep
    monkeypatch.setattr(module, "FRAMES_BETWEEN_SAVES", 10)
    monkeypatch.setattr(
        module.RegionCache, "keep", lambda self, regions: (saved.append(len(regions)), keep(self, regions))
    )
    frame_vectors(film, range(1, 21), Angles(), tmp_path)
    assert saved == [16, 20]


def test_frames_outside_the_film_are_named(film: Video, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"has no frame 500; .* from 1 to {film.frame_count}"):
        frame_vectors(film, [1, 500], Angles(), tmp_path)


def test_vectors_come_without_a_cache_too_with_a_note(film: Video, tmp_path: Path) -> None:
    blocked, notes = tmp_path / "file", []
    blocked.write_text("no folder")
    assert frame_vectors(film, [1], Angles(), blocked, note=notes.append).shape == (1, 2)
    assert len(notes) == 1
    assert "not cached" in notes[0]
