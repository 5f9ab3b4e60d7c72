"""Lengths and subtitles of a data folder are made from its films, and nothing written by hand is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from samples.film_folder import CLIPS, SAID, SECONDS, SPOKEN, write, write_film_folder
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.data.clip_files import ClipFiles, make_clip_files
from stage.errors import InputError
from stage.types import Sentence


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films") / "data"
    write_film_folder(folder)
    return folder


@pytest.fixture
def data(films: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(films, tmp_path / "data"))


def made(folder: Path, *, overwrite: bool = False) -> ClipFiles:
    return make_clip_files(folder, lambda done, total, item: None, overwrite=overwrite)


def test_both_files_are_made_from_films_and_the_subtitle_files_beside_them(data: Path) -> None:
    done = made(data)
    assert (done.notes, done.unreadable) == ([], [])
    assert read_frame_counts(data / "frames.json") == dict.fromkeys(CLIPS, 3 * SECONDS)
    sentences = (Sentence(1, 3, "Mia : Hi there !"), Sentence(4, 5.5, "Leo : The mug ."))
    assert read_subtitles(data / "subtitles.json") == dict.fromkeys(CLIPS, sentences)
    assert json.loads((data / "subtitles.json").read_text()) == dict.fromkeys(CLIPS, SPOKEN)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".vtt", "WEBVTT\n\n00:01.000 --> 00:03.000\nHi!\n"),
        (".ASS", "[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:03.00,Hi!\n"),
    ],
)
def test_any_kind_of_subtitle_file_is_read(data: Path, suffix: str, content: str) -> None:
    (data / "episodes" / "one.srt").unlink()
    (data / "episodes" / "one").with_suffix(suffix).write_text(content)
    made(data)
    assert read_subtitles(data / "subtitles.json")["one"] == (Sentence(1, 3, "Hi !"),)


def test_a_film_of_two_subtitle_files_is_noted_and_so_is_a_silent_one(data: Path) -> None:
    shutil.copy(data / "episodes" / "one.srt", data / "episodes" / "one.vtt")
    (data / "episodes" / "two.srt").rename(data / "episodes" / "two.en.srt")
    notes = made(data).notes
    assert "one: one.srt is read, not one.vtt" in notes
    assert "two: no subtitles" in notes
    assert any("two.en.srt: no film is named so" in note for note in notes)
    assert read_subtitles(data / "subtitles.json")["two"] == ()


def test_what_is_repaired_is_noted_with_the_clip(data: Path) -> None:
    (data / "episodes" / "two.srt").write_text("1\n00:00:03,000 --> 00:00:01,000\nHi!\n")
    (note,) = made(data).notes
    assert note.startswith("two: two.srt, line 2: 1 sentence without an end after the start")


def test_folders_of_images_are_measured_too(data: Path, frame_folders: Path) -> None:
    shutil.copytree(frame_folders / "clip0", data / "episodes" / "clip0")
    (data / "episodes" / "clip0.srt").write_text(SAID)
    (data / "episodes" / "clip0" / "00012.jpg").unlink()
    notes = made(data).notes
    assert read_frame_counts(data / "frames.json")["clip0"] == 13
    assert "clip0: no image for 1 frame of 13 (first: 12); they look empty" in notes
    assert len(read_subtitles(data / "subtitles.json")["clip0"]) == 2


def test_a_film_that_cannot_be_read_is_left_out_and_the_others_are_written(data: Path) -> None:
    (data / "episodes" / "two.mp4").write_bytes(b"?" * 99)
    (reason,) = made(data).unreadable
    assert "two.mp4" in reason
    assert read_frame_counts(data / "frames.json").keys() == {"one"}
    assert read_subtitles(data / "subtitles.json").keys() == {"one"}
    (data / "episodes" / "one.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"one\.mp4"):
        made(data)


def test_subtitles_of_another_film_leave_the_film_out(data: Path) -> None:
    (data / "episodes" / "two.srt").write_text("1\n00:15:00,000 --> 00:15:01,000\nHi!\n")
    (reason,) = made(data).unreadable
    assert "two.mp4" in reason
    assert "they belong to another film" in reason


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("frames.json", {"one": 9999, "two": 24}, "its clip one differs from its film"),
        ("frames.json", {"one": 24, "two": 24, "three": 7}, "its clip three has no readable film"),
        ("subtitles.json", {"one": SPOKEN | {"sub_time": [0.5, 4.0]}}, "its clip one differs from its film"),
        ("subtitles.json", ["mine"], "exists and is not a file of the clips' subtitles"),
        ("frames.json", {"mine": "text"}, "exists and is not a file of the clips' frame counts"),
    ],
)
def test_entries_written_by_hand_are_replaced_only_if_asked_for(
    data: Path, name: str, content: object, reason: str
) -> None:
    write(data / name, content)
    before = {path: path.read_bytes() for path in data.glob("*.json")}
    with pytest.raises(InputError, match=rf"{name}: {reason}.* --overwrite"):
        made(data)
    assert {path: path.read_bytes() for path in data.glob("*.json")} == before
    made(data, overwrite=True)
    assert read_frame_counts(data / "frames.json") == dict.fromkeys(CLIPS, 3 * SECONDS)


def test_new_films_are_added_to_the_files_without_asking(data: Path) -> None:
    made(data)
    shutil.copy(data / "episodes" / "one.mp4", data / "episodes" / "three.mp4")
    made(data)
    assert read_frame_counts(data / "frames.json").keys() == {"one", "two", "three"}


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="episodes: is not a folder of films"):
        made(tmp_path)
