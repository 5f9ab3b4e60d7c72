"""What a phrase names is looked for once in each frame of a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from films import HEIGHT, WIDTH, number_of, write_film
from stage.errors import InputError
from stage.features import phrases as module
from stage.features.phrases import find_phrases
from stage.media.video import Video, open_video
from stage.types import Box, Image


class Numbers:
    """A phrase detector for tests: for each word with n letters, n boxes in images with odd numbers."""

    name, notes = "numbers@1", ("a note",)

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[str, ...]]] = []
        """Number of each image, and what was looked for in it."""
        self.broken_from = 1000
        """The first image that can't be processed."""

    def find(self, images: Sequence[Image], phrases: Sequence[str]) -> list[list[tuple[Box, ...]]]:
        numbers = [number_of(image) for image in images]
        if max(numbers) >= self.broken_from:
            raise InputError("numbers@1: the model can't process an image")
        self.asked += [(number, tuple(phrases)) for number in numbers]
        return [[self._boxes(number, phrase) for phrase in phrases] for number in numbers]

    def _boxes(self, number: int, phrase: str) -> tuple[Box, ...]:
        count = len(phrase) if number % 2 else 0
        return tuple(Box(i, 2, i + 10, 12.5, phrase, 0.9 - 0.1 * i) for i in range(count))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Three images a second, so that numbered frame k shows image k."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return open_video(write_film(path, [Fraction(i, 3) for i in range(40)], rate=3))


def test_boxes_are_found_for_each_phrase_and_frame_and_labelled_as_it_was_written(
    film: Video, tmp_path: Path
) -> None:
    detector = Numbers()
    found = find_phrases(film, [7, 1, 2, 500], ["Cat", "a  dog"], detector, tmp_path)
    assert list(found) == ["Cat", "a  dog"]
    assert list(found["Cat"]) == [1, 2, 7]  # 500 lies outside the film
    assert [len(found["Cat"][frame]) for frame in (1, 2, 7)] == [3, 0, 3]
    assert [len(found["a  dog"][frame]) for frame in (1, 2, 7)] == [5, 0, 5]
    second = found["Cat"][1][1]
    assert (second.corners, second.label) == ((1, 2, 11, 12.5), "Cat")
    assert second.score == pytest.approx(0.8)
    assert detector.asked == [(number, ("cat", "a dog")) for number in (1, 2, 7)]


def test_a_further_question_with_a_phrase_asks_no_detector(
    film: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = Numbers(), Numbers()
    before = find_phrases(film, [1, 7], ["cat"], first, tmp_path)
    monkeypatch.setattr(Video, "frames", None)  # nor is anything decoded
    after = find_phrases(film, [1, 7], ["CAT"], again, tmp_path)
    assert again.asked == []
    assert [replace(box, label="cat") for box in after["CAT"][7]] == list(before["cat"][7])
    copy = film.path.with_name("copy.mp4")
    copy.write_bytes(film.path.read_bytes())
    find_phrases(open_video(copy), [1, 7], ["cat"], again, tmp_path)
    assert again.asked == []


def test_only_what_was_never_looked_for_is_looked_for(film: Video, tmp_path: Path) -> None:
    detector = Numbers()
    find_phrases(film, [1, 2], ["cat"], detector, tmp_path)
    detector.asked.clear()
    find_phrases(film, [1, 2, 3], ["cat", "dog"], detector, tmp_path)
    assert detector.asked == [(1, ("dog",)), (2, ("dog",)), (3, ("cat", "dog"))]
    other = Numbers()
    other.name = "numbers@2"
    find_phrases(film, [1], ["cat"], other, tmp_path)
    assert other.asked == [(1, ("cat",))]


def test_each_frame_is_decoded_once_for_all_phrases(
    film: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    frames = Video.frames

    def counting(self: Video, numbers: Sequence[int], longest_side: int | None = None) -> object:
        decoded.extend(numbers)
        return frames(self, numbers, longest_side)

    monkeypatch.setattr(Video, "frames", counting)
    find_phrases(film, range(1, 20), ["cat", "dog", "man"], Numbers(), tmp_path)
    assert decoded == list(range(1, 20))


def test_what_was_found_is_kept_when_the_search_ends_early(film: Video, tmp_path: Path) -> None:
    detector = Numbers()
    detector.broken_from = 10
    with pytest.raises(InputError, match="can't process"):
        find_phrases(film, range(1, 20), ["cat"], detector, tmp_path)
    seen = [number for number, _ in detector.asked]
    assert seen == list(range(1, 9))  # in batches of four
    repaired = Numbers()
    found = find_phrases(film, range(1, 20), ["cat"], repaired, tmp_path)
    assert [number for number, _ in repaired.asked] == list(range(9, 20))
    assert len(found["cat"]) == 19


def test_what_was_found_is_saved_as_the_search_goes_on(
    film: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    keep = module.RegionCache.keep
    monkeypatch.setattr(module, "FRAMES_BETWEEN_SAVES", 5)
    monkeypatch.setattr(
        module.RegionCache, "keep", lambda self, regions: (saved.append(len(regions)), keep(self, regions))
    )
    find_phrases(film, range(1, 13), ["cat"], Numbers(), tmp_path)
    assert saved == [5, 10, 12]


def test_boxes_are_in_pixels_of_the_film_though_smaller_images_are_looked_at(
    film: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_SIDE", WIDTH // 2)
    sizes: list[tuple[int, ...]] = []

    class Halves(Numbers):
        def find(self, images: Sequence[Image], phrases: Sequence[str]) -> list[list[tuple[Box, ...]]]:
            sizes.extend(image.shape for image in images)
            return super().find(images, phrases)

    found = find_phrases(film, [1], ["a"], Halves(), tmp_path)
    assert sizes == [(HEIGHT // 2, WIDTH // 2, 3)]
    assert [box.corners for box in found["a"][1]] == [(0, 4, 20, 25)]


def test_progress_and_notes_reach_the_caller(film: Video, tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    notes: list[str] = []
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    found = find_phrases(
        film, [1, 2, 3], ["cat", "dog"], Numbers(), blocked, lambda *call: calls.append(call), notes.append
    )
    assert calls == [(i, 3, "frames") for i in (1, 2, 3)]
    assert len(found["dog"][1]) == 3
    assert notes[0] == "a note"
    assert len(notes) == 2
    assert "not cached" in notes[1]


def test_without_phrases_no_film_is_read(film: Video, tmp_path: Path) -> None:
    gone = replace(film, path=tmp_path / "gone.mp4")
    assert find_phrases(gone, [1], [], Numbers(), tmp_path) == {}


def test_boxes_that_are_not_numbers_are_refused(film: Video, tmp_path: Path) -> None:
    class Broken(Numbers):
        def _boxes(self, number: int, phrase: str) -> tuple[Box, ...]:
            return (Box(0, 0, float(np.nan), 1, phrase, 0.5),)

    with pytest.raises(InputError, match=r"film\.mp4, frame 1: boxes or scores of numbers@1 are not finite"):
        find_phrases(film, [1], ["cat"], Broken(), tmp_path)
