"""Submissions are held against the films, and against each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.collecting import QUESTION, box, content, saved
from stage.annotation.issues import Issues
from stage.collecting.fitting import fitted
from stage.collecting.merging import merge
from stage.collecting.submissions import RefinedQuestion, Submission
from stage.collecting.task import Task, render_task
from stage.errors import InputError
from stage.types import Box, Clip

FILM = Clip("film", 24, 160, 48)


@pytest.fixture
def task(collecting_task: Task) -> dict[str, Any]:
    return content(render_task(collecting_task))


def half(task: dict[str, Any]) -> dict[str, Any]:
    """The task as a page of the same film in half the size has it."""
    return task | {"width": 80, "height": 24}


def test_work_on_a_smaller_copy_of_the_film_is_scaled_to_the_film(
    tmp_path: Path, task: dict[str, Any]
) -> None:
    frames = {"7": {"boxes": [box("Mia", 10, 8, 40, 12)]}}
    done = saved(tmp_path / "done.json", half(task), frames=frames)
    merged = merge([QUESTION], [done], films={"film": FILM})
    assert merged.questions[0].boxes == {7: (Box(20, 16, 100, 40, "Mia"),)}
    assert merged.issues.by_kind == {
        "submissions drawn on a film of another size, their boxes scaled": [
            f"{done}, from 80 x 24 to 160 x 48"
        ]
    }
    # Without films, nothing is known of their size: that of the page is returned to be shown.
    assert merge([QUESTION], [done]).clips == {"film": Clip("film", 24, 80, 24)}


def test_agreement_is_measured_in_the_pixels_of_the_film(tmp_path: Path, task: dict[str, Any]) -> None:
    one = saved(tmp_path / "a.json", task, frames={"7": {"boxes": [box("Mia", 20, 16, 80, 24)]}})
    other = saved(tmp_path / "b.json", half(task), frames={"7": {"boxes": [box("Mia", 10, 8, 40, 12)]}})
    with pytest.raises(
        InputError, match=r"b\.json: .* 80 x 24 pixels and 8\.0 s, but that of \S*a\.json .* 160 x 48"
    ):
        merge([QUESTION], [one, other])
    (agreement,) = merge([QUESTION], [one, other], films={"film": FILM}).agreements
    assert agreement.boxes == {"mia": 1}


@pytest.mark.parametrize(
    ("film", "reason"),
    [
        (replace(FILM, width=120), r"a film of 160 x 48 pixels and 8\.0 s, but that of 'film' has 120 x 48"),
        (replace(FILM, frame_count=60), r"but that of 'film' has 160 x 48 pixels and 20\.0 s"),
        (replace(FILM, name="other"), "there is no film of 'film'"),
    ],
)
def test_work_on_another_film_is_refused(
    tmp_path: Path, task: dict[str, Any], film: Clip, reason: str
) -> None:
    done = saved(tmp_path / "done.json", task)
    with pytest.raises(InputError, match=rf"done\.json: .*{reason}"):
        merge([QUESTION], [done], films={film.name: film})


def test_encodings_of_one_film_may_differ_by_a_second_and_by_rounded_sides(
    tmp_path: Path, task: dict[str, Any]
) -> None:
    done = saved(tmp_path / "done.json", task, frames={"7": {"boxes": []}})
    film = Clip("film", 26, 1918, 576)
    assert merge([QUESTION], [done], films={"film": film}).clips == {"film": film}


def test_spans_beyond_the_film_are_reported_for_questions_without_a_submission(
    tmp_path: Path, task: dict[str, Any]
) -> None:
    late = replace(QUESTION, qid=4, span=(2, 500))
    merged = merge([late, QUESTION], [saved(tmp_path / "done.json", task)], rest=True)
    assert merged.issues.by_kind == {"spans beyond the end of the clip, without a submission": ["question 4"]}


@given(st.integers(1, 4), st.integers(0, 100), st.integers(0, 30), st.integers(1, 60), st.integers(1, 18))
def test_scaled_boxes_stay_within_the_film(scale: int, left: int, top: int, width: int, height: int) -> None:
    drawn = Box(left, top, left + width, top + height, "Mia")
    submission = Submission(
        FILM, (RefinedQuestion(replace(QUESTION, boxes={7: (drawn,)}), Path("done")),), Path("done")
    )
    film = replace(FILM, width=160 * scale, height=48 * scale)
    (refined,) = fitted(submission, {"film": film}, Issues()).questions
    assert refined.question.boxes[7][0].corners == tuple(side * scale for side in drawn.corners)
