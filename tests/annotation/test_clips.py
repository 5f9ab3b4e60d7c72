"""Subtitles and frame counts of a data set are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.annotation import written
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.errors import InputError
from stage.types import Sentence


def test_a_sentence_without_an_end_lasts_until_the_next_one_and_the_last_one_three_seconds(
    tmp_path: Path,
) -> None:
    raw = {"clip": {"sub_text": "Mia : hi <eos> Leo : hey", "sub_time": [1.0, 2.5]}}
    expected = (Sentence(1.0, 2.5, "Mia : hi"), Sentence(2.5, 5.5, "Leo : hey"))
    assert read_subtitles(written(tmp_path / "subtitles.json", raw)) == {"clip": expected}


def test_given_ends_of_sentences_are_kept_and_a_silent_clip_has_none(tmp_path: Path) -> None:
    raw = {
        "clip": {"sub_text": "hi <eos> ho", "sub_time": [1, 4], "sub_end": [2, 6]},
        "silent": {"sub_text": "", "sub_time": []},
    }
    read = read_subtitles(written(tmp_path / "subtitles.json", raw))
    assert read == {"clip": (Sentence(1, 2, "hi"), Sentence(4, 6, "ho")), "silent": ()}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"sub_text": "a <eos> b", "sub_time": [1]}, "has 2 sentences, but 1 start time"),
        ({"sub_text": "a"}, "sub_time is missing"),
        ({"sub_text": "a", "sub_time": ["x"]}, "could not convert"),
        ({"sub_text": "a", "sub_time": [float("nan")]}, "not a number of seconds"),
        ("text", "can't be read"),
    ],
)
def test_a_clip_with_faulty_subtitles_is_named(tmp_path: Path, record: object, message: str) -> None:
    with pytest.raises(InputError, match=f"clip s01: .*{message}"):
        read_subtitles(written(tmp_path / "subtitles.json", {"s01": record}))


def test_frame_counts_are_positive_integers(tmp_path: Path) -> None:
    assert read_frame_counts(written(tmp_path / "frames.json", {"clip": 180})) == {"clip": 180}
    for wrong in (0, 1.5, "180", None):
        with pytest.raises(InputError, match="clip s01: frame count is"):
            read_frame_counts(written(tmp_path / "frames.json", {"s01": wrong}))
