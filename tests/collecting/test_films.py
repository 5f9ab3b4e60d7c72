"""The films of a task."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from stage.collecting.films import films_by_clip, open_clip, read_given_subtitles
from stage.errors import InputError


def frame_folder(folder: Path, count: int, height: int = 400, width: int = 800) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / f"{number:05}.jpg"), np.full((height, width, 3), number % 250, np.uint8))
    return folder


def test_a_folder_of_frames_is_a_clip_whose_boxes_are_in_its_own_pixels(tmp_path: Path) -> None:
    opened = open_clip(frame_folder(tmp_path / "film", 14), None)
    clip = opened.clip
    assert (clip.name, clip.width, clip.height, clip.frame_count) == ("film", 800, 400, 14)
    assert list(opened.images) == [1, 4, 7, 10, 13]
    assert {image.shape for image in opened.images.values()} == {
        (320, 640, 3)
    }  # scaled down for the page alone


def test_a_clip_is_shown_to_its_end(tmp_path: Path) -> None:
    opened = open_clip(frame_folder(tmp_path / "film", 360, 4, 8), None)
    assert opened.clip.duration == 120
    assert max(opened.images) == 358


def test_a_film_is_too_long_for_a_page_from_half_an_hour_on(tmp_path: Path) -> None:
    folder = frame_folder(tmp_path / "film", 1, 4, 8)
    (folder / "00001.jpg").rename(folder / "05401.jpg")
    with pytest.raises(
        InputError, match=r"film: is 30 minutes long; cut it into clips of at most 30 minutes"
    ):
        open_clip(folder, None)


def test_two_films_of_one_clip_and_missing_films_are_named(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "c").mkdir()
    films = [tmp_path / name for name in ("c", "b.mp4", "a.mkv")]
    assert films_by_clip(films) == dict(zip("cba", films, strict=True))
    with pytest.raises(InputError, match=r"a\.mkv and \S*a\.mp4: have the same clip name, 'a'"):
        films_by_clip([*films, tmp_path / "a.mp4"])
    with pytest.raises(InputError, match=r"d\.mp4: no such film"):
        films_by_clip([*films, tmp_path / "d.mp4"])


def test_subtitles_are_taken_for_what_their_name_says(tmp_path: Path) -> None:
    both = tmp_path / "subtitles.json"
    both.write_text('{"film": {"sub_text": "Hi .", "sub_time": [1.0]}}')
    read = read_given_subtitles(both, 3)
    assert isinstance(read, dict)
    assert list(read) == ["film"]
    assert read_given_subtitles(tmp_path / "film.SRT", 1) == tmp_path / "film.SRT"
    with pytest.raises(InputError, match=r"film\.srt: has the subtitles of one film"):
        read_given_subtitles(tmp_path / "film.srt", 2)
    for name in ("film.srt.gz", "notes.gz", "film.txt"):
        with pytest.raises(InputError, match=rf"{name}: give subtitles\.json\[\.gz\], or a film's \.srt"):
            read_given_subtitles(tmp_path / name, 1)


def test_what_is_irregular_about_subtitles_is_noted(tmp_path: Path, spoken_film: Path) -> None:
    film = Path(shutil.copy(spoken_film, tmp_path))
    (missing,) = open_clip(film, {"other": ()}).notes
    assert missing.startswith("is not in the subtitles given")
    (none,) = open_clip(film, None).notes
    assert none.startswith("has no subtitles")
    srt = tmp_path / "film.srt"
    srt.write_text("1\n00:00:01,000 --> 00:00:03,000\nHi.\n\n2\n00:09:00,000 --> 00:09:01,000\nBye.\n")
    (beyond,) = open_clip(film, srt).notes
    assert beyond.startswith("1 of 2 subtitle sentences lie beyond")
    srt.write_text("1\n00:09:00,000 --> 00:09:01,000\nBye.\n")
    with pytest.raises(InputError, match=r"film\.mp4: the subtitles run from 540\.0 s"):
        open_clip(film, srt)
