"""What a model is shown of a film: which frames, at which size, and which subtitles."""

from __future__ import annotations

from pathlib import Path

import pytest

from films import HEIGHT, WIDTH, number_of
from stage.media.video import open_video
from stage.types import Clip, Sentence
from stage.vlm.chat import Habits, Limits
from stage.vlm.habits import habits_of
from stage.vlm.view import KEPT, View, subtitles


def view_of(path: Path, limits: Limits, habits: Habits | None = None) -> View:
    film = open_video(path)
    return View(film, Clip("film", film.frame_count, film.width, film.height), limits, habits or Habits())


def long_view(frames: int) -> View:
    """Of a film that is never opened."""
    return View(None, Clip("film", frames), Limits(), Habits())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "most", "numbers"),
    [
        ((0, 8), 4, [1, 7, 13, 19]),
        ((0, 8), 2, [7, 19]),
        ((4, 6), 3, [13, 15, 17]),
        ((0, 100), 5, [31, 91, 151, 211, 271]),
        ((0, 8), 0, []),
        ((0.2, 0.4), 4, [1]),
    ],
)
def test_frames_are_the_middles_of_equal_parts(
    span: tuple[float, float], most: int, numbers: list[int]
) -> None:
    # (0, 8) in 4: frames 3, 9, 15, 21 are the middles; two seconds apart, so the nearest of 1, 7, 13, ...
    assert long_view(300).spread(span, most) == numbers


def test_frames_never_lie_outside_the_film() -> None:
    assert set(long_view(10).spread((0, 50), 16)) <= set(range(1, 11))


def test_a_frame_is_scaled_to_the_limit_and_the_grid_of_the_family(spoken_film: Path) -> None:
    assert view_of(spoken_film, Limits(longest_side=80)).frames([1])[0].image.shape == (24, 80, 3)
    grid = view_of(spoken_film, Limits(longest_side=112), Habits(grid=28)).frames([1])[0]
    assert grid.image.shape == (28, 112, 3)  # 48 x 112 / 160 is 33.6
    assert view_of(spoken_film, Limits(longest_side=4000)).frames([1])[0].image.shape == (HEIGHT, WIDTH, 3)


def test_frames_are_given_in_order_each_with_its_second_and_few_are_kept(spoken_film: Path) -> None:
    view = view_of(spoken_film, Limits())
    frames = view.frames([9, 3, 3])
    assert [frame.second for frame in frames] == [1.0, 3.0]
    assert [number_of(frame.image) for frame in frames] == [12, 36]
    view.frames(range(1, 25))
    assert len(view._kept) <= KEPT


SAID = [Sentence(float(i), i + 0.5, f"Line number {i} .") for i in range(100)]


def test_subtitles_are_given_with_their_times() -> None:
    text, notes = subtitles(SAID[:2], [], 1000)
    assert text == "[0.0 - 0.5 s] Line number 0.\n[1.0 - 1.5 s] Line number 1."
    assert notes == ()


def test_where_there_is_no_room_for_all_subtitles_those_near_the_frames_are_given() -> None:
    text, notes = subtitles(SAID, [50.0, 80.0], 130)
    # A line has 31 characters and its end one more, so there is room for four.
    assert [line.split("number ")[1] for line in text.splitlines()] == ["49.", "50.", "79.", "80."]
    assert "of 100 subtitle sentences" in notes[0]


@pytest.mark.parametrize(
    ("name", "boxes", "spans"),
    [
        ("Qwen/Qwen3-VL-2B-Instruct", "thousandths", True),
        ("qwen3_vl_moe", "thousandths", True),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "pixels", True),
        ("qwen2.5vl:7b", "pixels", True),
        ("TencentARC/TimeLens-8B", "thousandths", True),
        ("OpenGVLab/InternVL3-2B-hf", "thousandths", False),
        ("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", None, False),
        ("gemma3", None, False),
    ],
)
def test_the_habits_of_a_family_are_found_in_a_name(name: str, boxes: str | None, spans: bool) -> None:
    habits = habits_of(name)
    assert (habits.boxes, habits.spans) == (boxes, spans)


def test_the_kind_decides_where_the_name_says_nothing() -> None:
    assert habits_of("my-folder", "qwen3_vl").stamp.format(12.04) == "<12.0 seconds>"
    assert habits_of("my-folder", "smolvlm").stamp.format(12.04) == "Frame at 12.0 seconds:"
