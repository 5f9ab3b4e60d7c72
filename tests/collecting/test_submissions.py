"""Files that the page saves are checked against the questions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.collecting import QUESTION, box, content, saved
from stage.annotation.issues import Issues
from stage.collecting.merging import merge
from stage.collecting.submissions import FORMAT, read_submission
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
        ({"span": [20, 500]}, "question 5: its span starts at 20 s, after the end of the clip"),
        ({"span": [2, 500]}, "question 5: its span ends at 500 s, but the clip at 8.0 s"),
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
        ({"two\nlines": 1}, "question 5, two lines: "),
        ({"qid": "a\nb"}, "question a b, qid: "),
    ],
)  # fmt: skip
def test_invalid_work_is_named_with_file_and_question(
    tmp_path: Path, collecting_task: Task, changes: dict[str, Any], message: str
) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)), **changes)
    with pytest.raises(InputError, match=rf"done\.json, {message}"):
        merge([QUESTION], [done])


@pytest.mark.parametrize("key", ["width", "height", "frame_count"])
def test_a_size_that_no_film_has_is_refused(tmp_path: Path, collecting_task: Task, key: str) -> None:
    task = content(render_task(collecting_task))
    with pytest.raises(InputError, match=rf"done\.json, {key}: Input should be less than"):
        merge([QUESTION], [saved(tmp_path / "done.json", task | {key: 10**400})])


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


def test_files_of_earlier_pages_are_read_and_changed_questions_are_reported(
    tmp_path: Path, collecting_task: Task
) -> None:
    task = content(render_task(collecting_task))
    asked = {"question": "What is Mia holding when Leo plays the guitar?", "answer": "A book for Mia."}
    assert not merge([QUESTION], [saved(tmp_path / "earlier.json", task)]).issues.by_kind
    assert not merge([QUESTION], [saved(tmp_path / "now.json", task, **asked)]).issues.by_kind
    for change in ({"question": "What is Mia holding?"}, {"answer": "A mug."}):
        done = saved(tmp_path / "changed.json", task, **(asked | change))
        assert merge([QUESTION], [done]).issues.by_kind == {
            "questions or answers that were changed since the page was made": [f"{done}, question 5"]
        }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NUMBERS = st.integers(-3, 200) | st.floats() | st.just(10**400)


def mostly(valid: st.SearchStrategy[Any], rarely: st.SearchStrategy[Any] = JSON) -> st.SearchStrategy[Any]:
    """Valid values, and now and then others, by default any JSON."""
    return st.integers(0, 30).flatmap(lambda choice: rarely if choice == 30 else valid)


def entries(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these keys, and now and then one less."""
    return mostly(st.fixed_dictionaries(values))


SIDES = mostly(st.integers(1, 15) | st.floats(1, 15), NUMBERS)
BOXES = entries(
    label=mostly(st.sampled_from(["Mia", "book"])), left=SIDES, top=SIDES, width=SIDES, height=SIDES
)
FRAMES = entries(
    boxes=mostly(st.lists(BOXES, min_size=1, max_size=2)),
    not_visible=mostly(st.lists(st.sampled_from(["Leo", "guitar"]))),
)
SUBMITTED = entries(
    qid=mostly(st.just(5)),
    span=mostly(st.tuples(st.floats(0, 4), st.floats(4, 8)) | st.tuples(NUMBERS, NUMBERS)),
    frames=mostly(st.dictionaries(st.integers(0, 25).map(str), FRAMES, max_size=2)),
    finished=mostly(st.booleans()),
)
FILES = entries(
    format=mostly(st.just(FORMAT)),
    clip=mostly(st.just("film")),
    width=mostly(st.just(160)),
    height=mostly(st.just(48)),
    frame_count=mostly(st.just(24)),
    questions=mostly(st.lists(SUBMITTED, min_size=1, max_size=2)),
)


def refusal(path: Path) -> str:
    """Why a file is refused; "" if it is valid work."""
    try:
        read_submission(path, {5: QUESTION}, Issues())
    except InputError as error:
        return str(error)
    return ""


@given(FILES)
def test_any_json_is_valid_work_or_is_refused_with_a_reason(file: Any) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "done.json"
        path.write_text(json.dumps(file))
        if reason := refusal(path):
            assert reason.startswith(str(path))
            assert len(reason.splitlines()) == 1
            return
        submission = read_submission(path, {5: QUESTION}, Issues())
    for refined in submission.questions:
        question, clip = refined.question, submission.clip
        assert replace(question, span=QUESTION.span, boxes={}) == QUESTION
        assert question.span is not None
        start, end = question.span
        assert 0 <= start < end <= clip.duration + 1 / 3
        for frame, boxes in question.boxes.items():
            assert 1 <= frame <= clip.frame_count
            for drawn in boxes:
                assert all(map(math.isfinite, drawn.corners))
                assert 0 <= drawn.left <= drawn.right <= clip.width
                assert 0 <= drawn.top <= drawn.bottom <= clip.height
                assert drawn.label in QUESTION.text + QUESTION.answers[1]
