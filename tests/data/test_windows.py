"""Long clips: all of them is read at inference, and a part that contains the span in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.data_folder import REGION_DIM, write_random_data
from stage.annotation.labels import LAST_FRAME, frames_of_question, span_in_frames, span_in_seconds
from stage.annotation.questions import read_questions, write_questions
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.data.loading import inference_loader
from stage.data.windows import training_window, window_notes
from stage.features.store.feature_store import FeatureStore
from stage.io import write_json
from stage.types import Box, Clip, Question, Regions

BOXES = (Box(0, 0, 9, 9, "mug"),)
LONG = Clip("clip", 450)
ASKED = Question(7, "clip", "What is it ?", ("A mug .", "A hat ."), 0)
MANY = settings(max_examples=500, deadline=None, derandomize=True, database=None)
TIMES = st.floats(0, 1, allow_subnormal=False)


@MANY
@given(
    st.integers(1, 3000),
    TIMES,
    TIMES,
    st.none() | st.integers(1, 6),
    st.integers(1, 400),
    st.sampled_from([None, LAST_FRAME]),
)
def test_a_window_contains_the_span_as_far_along_as_the_clip(
    count: int, one: float, other: float, phase: int | None, size: int, last_frame: int | None
) -> None:
    clip = Clip("clip", count)
    start, end = sorted((one * clip.duration, other * clip.duration))
    question = replace(ASKED, span=(start, end), boxes={phase: BOXES} if phase else {})
    frames = frames_of_question(question, count, last_frame)
    trained_on, window = training_window(question, clip, size, last_frame)
    first, last = span_in_frames((start, end), frames, count, last_frame)
    assert len(window) == min(size, len(frames))
    begin = frames.index(window[0])
    assert window == frames[begin : begin + len(window)]
    if len(frames) <= size:
        assert trained_on is question
    elif last - first + 1 > size:
        assert (trained_on.span, begin) == (None, first)
    else:
        assert trained_on is question
        at = span_in_frames((start, end), window, count, last_frame)
        assert at == (first - begin, last - begin)
        assert span_in_seconds(*at, window[0]) == pytest.approx(span_in_seconds(first, last, frames[0]))
        around_in_clip, around_in_window = len(frames) - (last - first + 1), size - (last - first + 1)
        assert at[0] == first * around_in_window // around_in_clip


def test_without_a_span_the_window_contains_the_annotated_frames() -> None:
    boxed = replace(ASKED, boxes={400: BOXES, 412: BOXES, 4: ()})
    trained_on, window = training_window(boxed, LONG, 10, None)
    assert trained_on is boxed
    assert {400, 412} <= set(window)
    assert training_window(ASKED, LONG, 3, None)[1] == (1, 7, 13)


def test_what_is_trained_on_in_part_is_told() -> None:
    questions = [
        replace(ASKED, qid=1, span=(2.0, 9.0)),
        replace(ASKED, qid=2),
        replace(ASKED, qid=3, span=(2.0, 140.0)),
    ]
    assert window_notes("set", questions, {"clip": LONG}, 75, None) == []
    assert window_notes("set", questions, {"clip": LONG}, 60, LAST_FRAME) == []
    first, unknown, longer = window_notes("set", questions, {"clip": LONG}, 30, None)
    assert first.startswith("set: 3 questions about clips longer than data.limits.frames (30 frames, 60 s)")
    assert "1 question of these without span and boxes" in unknown
    assert "question 3" in longer


@pytest.fixture
def long_clips(tmp_path: Path) -> Path:
    """Six questions about two clips of 150 s; those about the first are shown from 120 to 140 s, at frame 361."""
    write_random_data(tmp_path)
    rng = np.random.default_rng(4)
    store = FeatureStore.open(tmp_path / "features")
    corners, scores = np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32)
    for clip in ("clip0", "clip1"):
        features = rng.normal(size=(75, 1, REGION_DIM)).astype(np.float32)
        frames = zip(range(1, 451, 6), features, strict=True)
        store.put_clip(clip, {frame: Regions(corners, scores, found) for frame, found in frames})
    write_json(tmp_path / "frames.json", {"clip0": 450, "clip1": 450})
    questions = read_questions(tmp_path / "questions.json")
    moved = [
        replace(q, span=(120.0, 140.0), boxes={361: BOXES}) if q.clip == "clip0" else q for q in questions
    ]
    write_questions(tmp_path / "questions.json", moved)
    return tmp_path


def test_own_clips_of_any_length_are_read_to_their_end(long_clips: Path) -> None:
    questions = open_questions(long_clips, Limits())
    examples = [example for _, batch in inference_loader(questions) for example in batch]
    assert {len(example.frames) for example in examples} == {75}
    about_first = [example for example in examples if example.question.clip == "clip0"]
    for example in about_first:
        assert example.span == (60, 70)
        assert example.frames[60] == 361
        assert all(len(regions) == 1 for regions in example.regions)
    assert len(about_first) == 3
    assert {position for example in about_first for position, _ in example.grounding} == {60}
    assert questions.labelled().notes == questions.notes


def test_limits_cut_training_alone(long_clips: Path) -> None:
    questions = open_questions(long_clips, Limits(frames=20))
    assert len(questions.example(0).frames) == 75
    in_part = questions.example(0, training=True)
    assert len(in_part.frames) == 20
    assert in_part.span is not None
    assert [in_part.frames[position] for position in in_part.span] == [361, 421]
    assert {in_part.frames[position] for position, _ in in_part.grounding} == {361}
    (note,) = set(questions.labelled().notes) - set(questions.notes)
    assert "6 questions about clips longer than data.limits.frames (20 frames" in note
