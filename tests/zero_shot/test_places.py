"""Places: which relations of boxes hold, and in which frames they can be read."""

from __future__ import annotations

import pytest

from samples.zero_shot import matcher, regions, view
from stage.types import Box
from stage.zero_shot.places import RELATIONS, place_score
from stage.zero_shot.words import words_of

CUP, DOG = (0.0, 50.0, 20.0, 70.0), (60.0, 40.0, 90.0, 100.0)


def score(question: str, answer: str, *seen: tuple[str, float, tuple[float, float, float, float]]) -> float:
    found = matcher(view(regions(*seen), regions()))
    return place_score(question, answer, words_of(question), words_of(answer), found, slice(0, 2))


@pytest.mark.parametrize(
    ("relation", "holds"),
    [
        ("left", True), ("right", False), ("above", True), ("below", False), ("behind", True), ("front", False),
        ("next", False),
    ],
)  # fmt: skip
def test_relations_are_read_from_two_boxes(relation: str, holds: bool) -> None:
    assert RELATIONS[relation](Box(*CUP), Box(*DOG)) is holds


def test_the_candidate_that_is_left_of_the_thing_is_said_to_be() -> None:
    seen = ("cup", 0.8, CUP), ("dog", 0.8, DOG)
    assert score("What is to the left of the dog ?", "A cup .", *seen) == 1
    assert score("What is to the right of the dog ?", "A cup .", *seen) == 0


def test_a_side_is_held_against_the_middle_of_the_picture() -> None:
    assert score("Where is the cup ?", "On the left .", ("cup", 0.8, CUP)) == 1
    assert score("Where is the cup ?", "On the right .", ("cup", 0.8, CUP)) == 0


@pytest.mark.parametrize("question", ["What is to the left of the dog ?", "What is it ?"])
def test_what_is_not_seen_or_not_asked_says_nothing(question: str) -> None:
    assert score(question, "A cup .", ("cup", 0.8, CUP)) == 0
