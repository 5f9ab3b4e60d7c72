"""Boxes in other units than pixels, or in another order, are refused or noted; pixels never are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.annotation import RAW, RAW_BOX, written
from samples.places import tvqa_plus_file
from stage.annotation.box_units import are_fractions, doubts, fractions_message, refuse_other_units
from stage.annotation.checking import check_annotation
from stage.annotation.questions import read_questions
from stage.errors import InputError
from stage.types import Box, Question

Sides = tuple[float, float, float, float]


def file_of(path: Path, *boxes: Sides) -> Path:
    named = [RAW_BOX | dict(zip(("left", "top", "width", "height"), box, strict=True)) for box in boxes]
    return written(path, [RAW | {"bbox": {"7": named}}])


def question_of(boxes: list[Sides]) -> Question:
    return Question(
        1, "c", "Why ?", ("x", "y"), 0, None, {7: tuple(Box(*corners, "Mia") for corners in boxes)}
    )


def test_fractions_of_the_frame_are_refused_when_questions_are_read_and_reported_by_the_check(
    tmp_path: Path,
) -> None:
    path = file_of(tmp_path / "val.json", (0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0))
    with pytest.raises(InputError, match=r"val\.json: no annotated box \(2 in all\) reaches beyond 1"):
        read_questions(path)
    questions, issues = check_annotation(path)
    assert len(questions) == 1
    assert "fractions of the frame" in issues.by_kind["files of boxes that aren't in pixels"][0]


def test_a_few_boxes_in_0_to_1_among_pixels_are_noted_with_their_question(tmp_path: Path) -> None:
    pixels: list[dict[str, Any]] = [
        RAW | {"qid": n, "bbox": {"7": [RAW_BOX | {"left": 300 + n}]}} for n in range(20)
    ]
    fraction = RAW | {
        "qid": 99,
        "bbox": {"7": [RAW_BOX | {"left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}]},
    }
    path = written(tmp_path / "val.json", [*pixels, fraction])
    assert len(read_questions(path)) == 21
    (issue,) = check_annotation(path)[1].by_kind["files of boxes that may be in other units"]
    assert "1 question (first: 99) lie in 0..1" in issue


def test_boxes_in_0_to_1000_are_noted(tmp_path: Path) -> None:
    boxes = [(40.0 * i, 30.0 * i, 200.0, 150.0) for i in range(20)]
    path = file_of(tmp_path / "val.json", *boxes, (500, 500, 500, 480))
    (issue,) = check_annotation(path)[1].by_kind["files of boxes that may be in other units"]
    assert "fill a square of 1000 x 980" in issue


def test_right_and_bottom_edges_as_width_and_height_are_noted(tmp_path: Path) -> None:
    edges = [(20.0 * i, 10.0 * i, 20.0 * i + 90, 10.0 * i + 60) for i in range(20)]
    path = file_of(tmp_path / "val.json", *edges)
    (issue,) = check_annotation(path)[1].by_kind["files of boxes that may be in other units"]
    assert "width and height may hold the right and bottom edges" in issue


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1))
def test_whatever_lies_in_0_to_1_is_a_fraction(boxes: list[Sides]) -> None:
    corners = np.array([(*sorted((a, b)), *sorted((c, d))) for a, b, c, d in boxes])[:, [0, 2, 1, 3]]
    assert are_fractions(corners) == bool(corners.any())


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300), st.integers(2, 40), st.integers(2, 60))))
def test_pixels_are_never_refused(boxes: list[tuple[int, int, int, int]]) -> None:
    corners = [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in boxes]
    assert fractions_message(question_of_list(corners)) is None
    refuse_other_units(np.array(corners, np.float64).reshape(-1, 4), "out.json")


def question_of_list(corners: list[Sides]) -> list[Question]:
    return [question_of(corners)]


def test_no_boxes_and_boxes_without_size_at_the_origin_are_no_fractions() -> None:
    assert not are_fractions(np.zeros((0, 4)))
    assert not are_fractions(np.zeros((3, 4)))
    refuse_other_units(np.zeros((0, 4)), "out.json")


def test_predicted_boxes_that_end_before_they_start_are_refused_if_they_are_many() -> None:
    sound, inverted = [10.0, 10.0, 90.0, 90.0], [300.0, 10.0, 90.0, 90.0]
    with pytest.raises(InputError, match=r"out\.json: 2 of 12 predicted boxes end left of or above"):
        refuse_other_units(np.array([sound] * 10 + [inverted] * 2), "out.json")
    refuse_other_units(np.array([sound] * 10 + [inverted]), "out.json")


def test_the_real_annotation_is_in_pixels() -> None:
    path = tvqa_plus_file("tvqa_plus_val.json")
    questions, issues = check_annotation(path)
    assert fractions_message(questions) is None
    assert not list(doubts(questions))
    assert not [kind for kind in issues.by_kind if kind.startswith("files of boxes")]
