"""Properties of the readers: any JSON is read to valid objects or refused in one line; round trips lose nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.annotation import RAW
from stage.annotation.checking import check_annotation
from stage.annotation.clips import read_frame_counts, read_subtitles, write_subtitles
from stage.annotation.predictions import (
    read_predictions,
    tabulate_predictions,
    write_predictions,
)
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.vocabulary import read_vocabulary
from stage.errors import InputError
from stage.metrics import evaluate
from stage.types import Box, Prediction, Question, Sentence, WordBoxes

T = TypeVar("T")
MANY = settings(max_examples=60, deadline=None, derandomize=True, database=None)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 1, 2**63, 10**30, 10**400, 1e308, math.inf, math.nan]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "1", "-1", "1-2", "nan-nan", "9" * 30, "a <eos> b", "\ud800", "²", "٣", "1e400"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.sampled_from(["qid", "0", "1"])), inner, max_size=4
        ),
    ),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, valid: Any) -> Any:
    """A valid value in which up to two parts, at any depth, are replaced, removed or added."""
    value = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(0, 2))):
        value = _changed_once(draw, value)
    return value


def _changed_once(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    if draw(st.integers(0, 4)) == 0:
        del value[key]
    elif isinstance(value, dict) and draw(st.integers(0, 5)) == 0:
        value[draw(st.sampled_from(["07", "a2", "ts", "sub_end", *value]))] = draw(JSON)
    else:
        value[key] = _changed_once(draw, value[key])
    return value


def read_or_refused(read: Callable[[Path], T], content: Any, name: str = "file.json") -> T | None:
    """What is read of a JSON value; None if it is refused in one line."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        lines = content if name.endswith(".jsonl") and isinstance(content, list) else [content]
        path.write_text("\n".join(map(json.dumps, lines)))
        try:
            return read(path)
        except InputError as error:
            message = str(error)
    assert "\n" not in message
    assert str(path) in message
    return None


SECOND = RAW | {"qid": 2, "ts": "3-4.5", "vid_name": "Zoe\u0308"}
QUESTIONS = st.one_of(JSON, st.lists(JSON, max_size=2), changed([RAW, SECOND]))


@MANY
@given(QUESTIONS, st.sampled_from(["q.json", "q.jsonl", "q.json.gz"]))
def test_any_questions_are_read_whole_or_refused(content: Any, name: str) -> None:
    if name.endswith(".gz"):
        assert read_or_refused(read_questions, content, name) is None  # it isn't compressed
        return
    questions = read_or_refused(read_questions, content, name)
    for question in questions or ():
        assert len(question.answers) >= 2
        assert question.answer_index is None or 0 <= question.answer_index < len(question.answers)
        assert question.span is None or -math.inf < question.span[0] <= question.span[1] < math.inf
        assert all(frame >= 1 for frame in question.boxes)
        corners = [box.corners for boxes in question.boxes.values() for box in boxes]
        assert np.isfinite(np.array(corners, np.float64)).all()
    if questions:
        np.array([question.qid for question in questions], np.int64)


@MANY
@given(QUESTIONS)
def test_any_questions_are_checked_or_refused_and_never_passed_over(content: Any) -> None:
    """Whatever the reader refuses is an error of the check."""
    checked = read_or_refused(lambda path: check_annotation(path, clips={}), content)
    read = read_or_refused(read_questions, content)
    assert (checked is None) <= (read is None)
    if checked is not None and not checked[1].errors:
        assert read == checked[0]


SPOKEN_TWICE = {"sub_text": "a b <eos> c", "sub_time": [1.5, 3], "sub_end": [2, 4]}
SUBTITLES = {"one": SPOKEN_TWICE, "two": {"sub_text": "", "sub_time": []}}


@MANY
@given(st.one_of(JSON, changed(SUBTITLES)))
def test_any_subtitles_are_read_or_refused(content: Any) -> None:
    for sentences in (read_or_refused(read_subtitles, content) or {}).values():
        assert all(math.isfinite(s.start) and math.isfinite(s.end) for s in sentences)
        assert all(s.text == s.text.strip() for s in sentences)


TIMES = st.floats(0, 1e5, allow_nan=False)
SPOKEN = st.builds(Sentence, TIMES, TIMES, st.lists(st.text("abcé.,'", min_size=1), min_size=1).map(" ".join))


@MANY
@given(st.dictionaries(st.text("abé_", min_size=1), st.lists(SPOKEN, max_size=4).map(tuple), max_size=3))
def test_subtitles_are_the_same_after_writing_and_reading(
    subtitles: dict[str, tuple[Sentence, ...]],
) -> None:
    with TemporaryDirectory() as folder:
        write_subtitles(Path(folder) / "s.json", subtitles)
        assert read_subtitles(Path(folder) / "s.json") == subtitles


@MANY
@given(st.one_of(JSON, changed({"one": 3, "two": 180})))
def test_any_frame_counts_are_read_or_refused(content: Any) -> None:
    counts = read_or_refused(read_frame_counts, content) or {}
    assert all(type(count) is int and count >= 1 for count in counts.values())


PREDICTIONS = {
    "ts_answer": {"1234": [[1.5, 4.0], 1]},
    "raw_bbox": [
        {"0": [], "1": [{"pred": [0.5], "bbox": [[1, 2, 30, 40]], "word": 1, "qid": 1234, "img_idx": 7}]}
    ],
}


@MANY
@given(st.one_of(JSON, changed(PREDICTIONS)))
def test_any_predictions_are_read_and_scored_or_refused(content: Any) -> None:
    question = Question(
        1234, "clip", "What is it ?", ("a", "b"), 1, (1.0, 4.0), {7: (Box(1, 2, 30, 40, "it"),)}
    )
    table = read_or_refused(read_predictions, content)
    if table is None:
        return
    assert np.isfinite(table.span).all()
    assert table.boxes is None or np.isfinite(table.boxes.corners).all()
    try:
        scores = evaluate(table, [question], {"<unk>": 0, "it": 1})
    except InputError:
        return
    assert scores.qa_accuracy is None or 0 <= scores.qa_accuracy <= 1


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 1), TIMES, TIMES, st.lists(st.floats(0, 1), max_size=3)), max_size=3)
)
def test_predictions_are_the_same_after_writing_and_reading(
    rows: list[tuple[int, float, float, list[float]]],
) -> None:
    predictions = [
        Prediction(
            qid,
            "clip",
            answer,
            (0.5, 0.5),
            ((start, end), (start, end)),
            (WordBoxes(answer, 7, "it", tuple(Box(0, 1, 5, 6, "it", s) for s in sorted(scores))),),
        )
        for qid, (answer, start, end, scores) in enumerate(rows)
    ]
    words = {"<unk>": 0, "it": 1}
    with TemporaryDirectory() as folder:
        write_predictions(Path(folder) / "p.json", predictions, words)
        read, made = read_predictions(Path(folder) / "p.json"), tabulate_predictions(predictions, words)
    np.testing.assert_array_equal(read.qid, made.qid)
    np.testing.assert_array_equal(read.span, made.span)
    if made.boxes is not None and read.boxes is not None:
        np.testing.assert_array_equal(read.boxes.score, made.boxes.score)


@MANY
@given(st.one_of(JSON, changed({"<unk>": 0, "it": 1})))
def test_any_vocabulary_is_read_or_refused(content: Any) -> None:
    words = read_or_refused(read_vocabulary, content) or {}
    np.array([number for number in words.values() if type(number) is int], np.int64)
    assert all(type(number) is int for number in words.values())


BOXES = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height, "mug"),
    *[st.integers(0, 2000)] * 4,
)


@MANY
@given(st.lists(st.dictionaries(st.integers(1, 300), st.lists(BOXES, max_size=2).map(tuple)), max_size=3))
def test_questions_are_the_same_after_writing_and_reading(
    of_questions: list[dict[int, tuple[Box, ...]]],
) -> None:
    questions = [
        Question(i, "Zoë", "What ?", ("a", "b"), i % 2, (0.5 * i, 9.0), boxes)
        for i, boxes in enumerate(of_questions)
    ]
    # Boxes that all lie within a pixel are taken for fractions, and refused.
    questions.append(Question(9, "Zoë", "What ?", ("a", "b"), None, None, {1: (Box(5, 5, 50, 50, "mug"),)}))
    with TemporaryDirectory() as folder:
        write_questions(Path(folder) / "q.json.gz", questions)
        assert read_questions(Path(folder) / "q.json.gz") == questions
