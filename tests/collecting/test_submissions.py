"""Files that the page saves are checked against the questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from samples.collecting import QUESTION, box, content, saved
from stage.collecting.merging import merge
from stage.collecting.task import Task, render_task
from stage.errors import InputError


def test_irregular_work_is_reported_and_accepted(tmp_path: Path, collecting_task: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)), span=[4, 5], finished=False)
    merged = merge([QUESTION], [done])
    assert set(merged.questions[0].boxes) == {7, 13}
    assert set(merged.issues.by_kind) == {
        "frames outside the refined span", "questions with unfinished frames",
    }  # fmt: skip
    assert merged.issues.by_kind["frames outside the refined span"] == [f"frame 7, {done}, question 5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qid": 9}, "question 9: is not among the questions"),
        ({"span": [5, 3]}, "question 5: its span is 5 to 3 s; it must not start before 0"),
        ({"span": [-1, 3]}, "question 5: its span is -1 to 3 s"),
        ({"span": [30, 33]}, "question 5: its span starts at 30 s, after the end of the clip"),
        ({"span": [3]}, "question 5, span"),
        ({"span": None}, "question 5, span"),
        ({"frames": {"30": {"boxes": []}}}, "question 5: has a frame 30; the clip has frames 1 to 24"),
        ({"frames": {"x": {"boxes": []}}}, "question 5, frames"),
        ({"frames": {"7": {"boxes": [box("Mia", left=150)]}}},
         "question 5: the box of 'Mia' in frame 7 extends beyond the frame \\(160 x 48\\)"),
        ({"frames": {"7": {"boxes": [box("Mia", top=-1)]}}}, "question 5: the box of 'Mia' in frame 7 extends"),
        ({"frames": {"7": {"boxes": [box("Mia", width=0)]}}}, "question 5, frames.7.boxes.0.width"),
        ({"frames": {"7": {"boxes": [box("Zoe")]}}}, "question 5: 'Zoe' is no word of the question"),
        ({"extra": 1}, "question 5, extra"),
    ],
)  # fmt: skip
def test_invalid_work_is_named_with_file_and_question(
    tmp_path: Path, collecting_task: Task, changes: dict[str, Any], message: str
) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)), **changes)
    with pytest.raises(InputError, match=rf"done\.json, {message}"):
        merge([QUESTION], [done])


def test_files_that_no_page_saved_or_that_are_given_twice_are_named(
    tmp_path: Path, collecting_task: Task
) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)))
    with pytest.raises(InputError, match="given twice"):
        merge([QUESTION], [done, done])
    with pytest.raises(InputError, match="question 5: is about 'elsewhere', not 'film'"):
        merge([replace(QUESTION, clip="elsewhere")], [done])
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InputError, match=r"list\.json: wasn't saved by a page"):
        merge([QUESTION], [tmp_path / "list.json"])
