"""Our own data folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.data_folder import write_random_data
from stage.annotation.questions import read_questions, write_questions
from stage.data.examples import Limits
from stage.data.layouts import open_questions
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
