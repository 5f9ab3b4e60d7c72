"""Labels are those of the release."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.places import SHARED
from stage.annotation.clip_checks import times_summary
from stage.annotation.labels import (
    LAST_FRAME,
    frames_of_question,
    positive_regions,
    span_in_frames,
    span_in_seconds,
)
from stage.annotation.questions import question_from_json
from stage.geometry import release_label_iou
from stage.media.alignment import aligned_sentences
from stage.types import Box, Clip, Question, Sentence

GOLDEN = SHARED / "golden"


def golden(name: str) -> Any:
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return json.loads(path.read_text())


def question(entry: dict[str, Any]) -> Question:
    return question_from_json(
        {
            "qid": entry["qid"],
            "vid_name": entry["vid_name"],
            "q": entry["question"],
            "a0": entry["answer"],
            "a1": "-",
        }
        | {"answer_idx": 0, "ts": entry["ts"], "bbox": entry["bbox"]}
    )


def test_frames_and_spans_are_those_of_the_release() -> None:
    for entry in golden("labels.json"):
        asked = question(entry)
        frames = frames_of_question(asked, entry["frame_count"], LAST_FRAME)
        assert list(frames) == entry["image_indices"]
        assert frames.index(min(asked.boxes)) == entry["anno_st_idx"]
        assert asked.span is not None
        label = span_in_frames(asked.span, frames, entry["frame_count"], LAST_FRAME)
        assert list(label) == entry["ts_label"]


def test_aligned_sentences_are_those_of_the_release() -> None:
    for entry in golden("labels.json"):
        sentences = [Sentence(start, start + 1, "") for start in entry["sub_time"]]
        aligned = aligned_sentences(entry["image_indices"], sentences)
        assert [list(pair) for pair in aligned] == entry["aligned_sentences"]


def test_positive_regions_are_those_of_the_release() -> None:
    for entry in golden("labels.json"):
        asked = question(entry)
        words = asked.hypotheses[0].split()
        for frame, expected in entry["positive_word_region"].items():
            detected = np.array(entry["detected_boxes"][frame], np.float64).reshape(-1, 4)
            rows = positive_regions(words, [asked.boxes[int(frame)]], [detected])
            assert rows[:, 1:].tolist() == expected


def test_spans_in_seconds_are_those_of_the_release() -> None:
    for entry in golden("spans.json"):
        seconds = span_in_seconds(*entry["frames"], entry["first_image"])
        assert seconds == pytest.approx(entry["seconds"], abs=1e-9)


def test_a_span_is_never_empty() -> None:
    frames = (1, 7, 13, 19)
    assert span_in_frames((2.1, 2.2), frames, 20) == (2, 2)
    assert span_in_frames((50.0, 60.0), frames, 20) == (3, 3)
    assert span_in_frames((0.0, 0.0), frames, 20) == (0, 0)


def test_times_of_long_clips_of_the_release_are_squeezed_into_the_frames_that_are_seen() -> None:
    frames = tuple(range(1, 301, 6))
    assert span_in_frames((100.0, 200.0), frames, 600, LAST_FRAME) == (25, 49)


def test_times_of_other_long_clips_are_true() -> None:
    frames = frames_of_question(Question(1, "clip", "Who ?", ("a", "b")), 450)
    assert frames[-1] == 445
    first, last = span_in_frames((120.0, 140.0), frames, 450)
    assert (frames[first] - 1, frames[last] - 1) == (120 * 3, 140 * 3)
    assert span_in_seconds(first, last, frames[0]) == pytest.approx((120 + 1 / 3, 142 + 1 / 3))


MANY = settings(max_examples=500, deadline=None, derandomize=True, database=None)
TIMES = st.floats(0, 1, allow_subnormal=False)
STEP_AND_FRAME = 2 + 1 / 3 + 1e-6
"""Seconds by which a span may move on its way to frames and back, since it is told by frames two seconds apart."""


@MANY
@given(st.integers(1, 4000), TIMES, TIMES, st.none() | st.integers(1, 6), st.data())
def test_own_spans_come_back_at_any_length_and_phase(
    count: int, one: float, other: float, phase: int | None, data: st.DataObject
) -> None:
    """From truth to frames to seconds: phase, label and time agree, and the annotated frames are read."""
    clip = Clip("clip", count)
    start, end = sorted((one * clip.duration, other * clip.duration))
    annotated = range(phase or 1, count + 1, 6)
    boxes = (
        dict.fromkeys(data.draw(st.sets(st.sampled_from(annotated), min_size=1)), ())
        if annotated and phase
        else {}
    )
    frames = frames_of_question(
        Question(1, "clip", "Who ?", ("a", "b"), span=(start, end), boxes=boxes), count
    )
    assert set(boxes) <= set(frames)
    assert np.all(np.diff(frames) == 6)
    assert frames[-1] > count - 6
    first, last = span_in_frames((start, end), frames, count)
    inside = [i for i, frame in enumerate(frames) if start * 3 <= frame - 1 <= end * 3]
    assert (first, last) == ((inside[0], inside[-1]) if inside else (first, first))
    again = clip.clamp(span_in_seconds(first, last, frames[0]))
    assert 0 <= again[0] <= again[1] <= clip.duration
    if inside:
        assert abs(again[0] - start) < STEP_AND_FRAME
        assert abs(again[1] - end) < STEP_AND_FRAME
    elif first < len(frames) - 1:  # a moment between two frames is given to the later one
        assert -2 < again[0] - start < STEP_AND_FRAME


def test_any_box_of_a_label_makes_a_region_positive() -> None:
    annotated = [Box(0, 0, 10, 10, "Penny"), Box(50, 50, 80, 80, "penny")]
    detected = np.array([[50.0, 50, 80, 80], [0, 0, 10, 10], [200, 200, 220, 220]])
    found = positive_regions(["Where", "is", "PENNY"], [annotated], [detected])
    assert found.tolist() == [[0, 2, 0], [0, 2, 1]]


def test_a_region_is_compared_with_the_boxes_of_its_own_frame() -> None:
    here, there = Box(0, 0, 10, 10, "penny"), Box(50, 50, 80, 80, "penny")
    detected = np.array([[0.0, 0, 10, 10], [50, 50, 80, 80]])
    found = positive_regions(
        ["penny", "and", "Penny"], [(here,), (), (there,)], [detected[:1], detected, detected]
    )
    assert found.tolist() == [[0, 0, 0], [0, 2, 0], [2, 0, 1], [2, 2, 1]]
    assert positive_regions(["penny"], [(there,), (here,)], [detected[:1], detected[1:]]).tolist() == []


def test_a_clip_without_subtitles_has_no_aligned_sentences() -> None:
    assert aligned_sentences((1, 7), ()) == [(), ()]
    assert aligned_sentences((1, 7), (Sentence(0, 1, "hi"),)) == [(0,), (0,)]


def test_every_sixth_frame_is_read_and_annotated_ones_are_among_them() -> None:
    def frames(first: int | None, frame_count: int) -> tuple[int, ...]:
        boxes = {} if first is None else {first + 6: (), first: (Box(0, 0, 1, 1, "mia"),)}
        return frames_of_question(
            Question(1, "clip", "Who ?", ("a", "b"), boxes=boxes), frame_count, LAST_FRAME
        )

    assert frames(None, 20) == (1, 7, 13, 19)
    assert frames(9, 20) == (3, 9, 15)
    assert frames(12, 18) == (6, 12, 18)
    assert frames(1, 900)[-1] == 295
    assert frames(6, 900)[-1] == 300
    assert frames(305, 200)[0] == 5


def test_boxes_in_frames_that_are_never_read_are_told() -> None:
    box = (Box(0, 0, 1, 1, "mia"),)
    every_second = Question(7, "clip", "Who ?", ("a", "b"), boxes={4: box, 7: box, 10: box})
    in_phase = replace(every_second, qid=8, boxes={4: box, 7: (), 10: box})
    clips = {"clip": Clip("clip", 20)}
    assert set(every_second.boxes) - set(frames_of_question(every_second, 20)) == {7}
    (line,) = times_summary([every_second, in_phase], clips, Path("questions.json"))
    assert "never read: 1" in line
    assert "frame 7 after 4, question 7" in line


def test_a_predicted_span_lasts_two_seconds_for_each_frame() -> None:
    assert span_in_seconds(3, 3, first_frame=1) == pytest.approx((6 + 1 / 3, 8 + 1 / 3))
    assert span_in_seconds(0, 4, first_frame=6) == (0.0, 10.0)


def test_overlap_is_rounded_to_four_decimals_before_it_is_compared() -> None:
    detected = np.array([[0.0, 0.0, 99.0, 99.0]])
    side = 100.0 * 100.0
    height = (side / 0.49997 + side - 99.0 * 99.0) / 99.0
    annotated = Box(0, 0, 99, height, "mia")
    assert release_label_iou(detected, np.array([annotated.corners])).tolist() == [[0.5]]
    assert positive_regions(["mia"], [[annotated]], [detected]).tolist() == [[0, 0, 0]]
