"""A frame goes with the two sentences that start nearest to it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from samples.places import SHARED
from stage.media.alignment import aligned_sentences
from stage.types import Sentence


def starting_at(starts: list[float]) -> list[Sentence]:
    return [Sentence(start, start + 1, "words") for start in starts]


def nearest_by_trying_all(frames: list[int], starts: list[float]) -> list[tuple[int, ...]]:
    aligned = []
    for frame in frames:
        order = sorted(range(len(starts)), key=lambda i: (abs(starts[i] - frame / 3), i))
        aligned.append(tuple(sorted(order[:2])))
    return aligned


def test_sentences_are_aligned_as_in_the_release() -> None:
    starts = [5.01, 5.99, 6.07, 7.06, 10.54, 12.73, 15.14, 17.03, 19.51, 23.14, 25.67, 26.29, 30.17, 31.23]
    frames = [5, 11, 17, 23, 29, 35, 41, 47, 53, 59, 65, 71, 77, 83]
    expected = [
        (0, 1),
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 7),
        (7, 8),
        (7, 8),
        (8, 9),
        (9, 10),
    ]
    assert aligned_sentences(frames, starting_at(starts)) == [*expected, (10, 11), (10, 11)]


def test_golden_alignments_are_reproduced() -> None:
    path = SHARED / "golden" / "labels.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    entries = json.loads(path.read_text())
    assert len(entries) == 8
    for entry in entries:
        aligned = aligned_sentences(entry["image_indices"], starting_at(entry["sub_time"]))
        assert [list(pair) for pair in aligned] == entry["aligned_sentences"]


def test_fewer_than_two_sentences_are_all_aligned() -> None:
    assert aligned_sentences((1, 7), ()) == [(), ()]
    assert aligned_sentences((1, 7), starting_at([3.0])) == [(0,), (0,)]
    assert aligned_sentences((), starting_at([3.0, 4.0])) == []


def test_ties_between_sentences_go_to_the_earlier_one() -> None:
    assert aligned_sentences((6,), starting_at([1.0, 2.0, 3.0])) == [(0, 1)]
    assert aligned_sentences((6,), starting_at([1.0, 1.0, 1.0])) == [(0, 1)]
    assert aligned_sentences((3,), starting_at([2.0, 2.0, 1.0, 2.0])) == [(0, 2)]


def test_alignment_agrees_with_an_exhaustive_search() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        starts = (random.integers(0, 8, random.integers(1, 10)) / 3).tolist()  # many ties, not sorted
        frames = random.integers(0, 30, 6).tolist()
        assert aligned_sentences(frames, starting_at(starts)) == nearest_by_trying_all(frames, starts)
