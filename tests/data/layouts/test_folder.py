"""Our own data folder."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from samples.data_folder import write_random_data
from samples.film_folder import (
    BOX,
    CLIPS,
    SPOKEN,
    question,
    write,
    write_sound_folder,
)
from stage.annotation.questions import read_questions, write_questions
from stage.data.examples import Limits
from stage.data.extraction import frames_to_extract
from stage.data.layouts import check_places, open_questions
from stage.data.layouts.folder import notes_of, read_clips
from stage.errors import InputError
from stage.types import Box


def test_a_data_folder_without_features_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path, Limits())
    (tmp_path / "questions.json").write_text("[]")
    with pytest.raises(InputError, match="stage features"):
        open_questions(tmp_path, Limits())


def test_boxes_in_other_units_are_refused_or_noted_when_the_folder_is_opened(tmp_path: Path) -> None:
    write_random_data(tmp_path)
    file = tmp_path / "questions.json"
    questions = read_questions(file)
    assert open_questions(tmp_path, Limits()).notes == ()
    thousandths = tuple(
        Box(400 + 20.0 * i, 40.0 * i, 540 + 20.0 * i, 190 + 40.0 * i, "mug") for i in range(21)
    )
    write_questions(file, [replace(q, boxes={1: thousandths}) for q in questions])
    (note,) = open_questions(tmp_path, Limits()).notes
    assert "they are in 0..1000" in note
    write_questions(file, [replace(q, boxes={1: (Box(0.1, 0.2, 0.5, 0.75, "mug"),)}) for q in questions])
    with pytest.raises(InputError, match="fractions of the frame"):
        open_questions(tmp_path, Limits())


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two films of 24 frames, 160 x 48, with features that record them."""
    return write_sound_folder(tmp_path_factory.mktemp("films") / "data")


@pytest.fixture
def data(films: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(films, tmp_path / "data"))


def test_a_sound_folder_has_no_notes_and_the_sizes_of_its_films(data: Path) -> None:
    opened = open_questions(data, Limits())
    assert opened.notes == notes_of(data) == ()
    assert {(c.frame_count, c.width, c.height) for c in opened.clips.values()} == {(24, 160, 48)}


@pytest.mark.parametrize("count", [168, 9])
def test_a_length_that_is_not_the_films_is_refused_when_opened_and_before_extraction(
    data: Path, count: int
) -> None:
    write(data / "frames.json", {"one": 24, "two": count})
    message = (
        rf"frames\.json, clip two: says {count} frames, but the film has 24.*`stage data make .* --overwrite`"
    )
    with pytest.raises(InputError, match=message):
        open_questions(data, Limits())
    for _ in range(2):  # with features that record the film, and without
        with pytest.raises(InputError, match=message):
            frames_to_extract(data, data / "episodes")
        shutil.rmtree(data / "features", ignore_errors=True)


def test_of_lengths_that_differ_by_a_second_the_shorter_is_used(data: Path) -> None:
    write(data / "frames.json", {"one": 27, "two": 21})
    clips = open_questions(data, Limits()).clips
    assert {name: clip.frame_count for name, clip in clips.items()} == {"one": 24, "two": 21}


def test_times_that_can_never_be_found_are_noted_when_the_folder_is_opened(data: Path) -> None:
    questions = [
        question(0, "one", ts=[0, 200]),
        question(1, "two", ts=[5, 5]),
        question(2, "two", ts=[20, 500], bbox={"31": [BOX]}),
    ]
    write(data / "questions.json", questions)
    write(
        data / "subtitles.json", dict.fromkeys(CLIPS, SPOKEN | {"sub_time": [1.0, 900], "sub_end": [3, 901]})
    )
    notes = "\n".join(notes_of(data))
    for expected in (
        r"spans that end after their clip: 1 \(0 to 200 s, but one lasts 8\.0 s, question 0 in .*questions\.json\)",
        r"empty spans, which can never be found: 1 \(5 to 5 s, question 1",
        r"spans outside their clip, which can never be found: 1 \(20 to 500 s, but two lasts 8\.0 s, question 2",
        r"annotated frames past the end of their clip: 1 \(frame 31 of 24 in two, question 2",
        r"clips with sentences past their end: 2 \(first: one in .*: 1 of 2 sentences, up to 900 s",
    ):
        assert re.search(expected, notes), notes
    opened = open_questions(data, Limits())
    assert opened.notes[: len(notes.splitlines())] == tuple(notes.splitlines())


def test_all_that_is_missing_is_named_at_once(data: Path, tmp_path: Path) -> None:
    for name in ("features", "frames.json", "subtitles.json"):
        path = data / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    everything = (
        r"has no subtitles\.json and no frames\.json and no features; make .*`stage data make .*then .*all"
    )
    with pytest.raises(InputError, match=everything):
        open_questions(data, Limits())
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "questions.json", [])
    with pytest.raises(InputError, match=rf"data: {everything}.*; .*other: {everything}"):
        check_places([data, tmp_path / "other"])
    with pytest.raises(InputError, match="nowhere: no such folder"):
        read_clips(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such folder"):
        open_questions(tmp_path / "nowhere" / "data", Limits())


def test_a_film_that_was_replaced_after_extraction_is_refused(data: Path) -> None:
    with (data / "episodes" / "two.mp4").open("ab") as film:
        film.write(bytes(64))
    with pytest.raises(InputError, match=r"two\.mp4: is not the film that the features of clip two"):
        open_questions(data, Limits())
