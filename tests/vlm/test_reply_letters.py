"""The letter that a model names in words is read, however it says it."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from samples.replies import REPLIES
from stage.vlm.reply_letters import letter_in

LETTERS = ("A", "B", "C", "D", "E")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(B)", "B"),
        ("B.", "B"),
        ("B", "B"),
        ("'A'", "A"),
        ("  **C**\n", "C"),
        ("The answer is B", "B"),
        ("**Answer:** B", "B"),
        ("Answer: D) the red mug", "D"),
        ("A man is there. The correct option is (E).", "E"),
        ("B) because C is wrong", "B"),
        ("B because A isn't there", "B"),
        ("B, a mug", "B"),
        ("B, A man", "B"),
        ("I think it is (C)", "C"),
        ("<think>Maybe A, or B.</think>\n<answer>C</answer>", "C"),
        ("A is wrong.</think>D", "D"),
        ("It must be D", "D"),
        ("The answer is A because he sits there", "A"),
    ],
)
def test_a_letter_is_read_however_it_is_said(text: str, letter: str) -> None:
    assert letter_in(text, LETTERS) == (LETTERS.index(letter), ())


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is B, not A", "B"),
        ("B, not A or C", "B"),
        ("It is not A but B", "B"),
        ("Option A is wrong, so it's B", "B"),
        ("Neither A nor C, so E", "E"),
        ("The answer is not A", None),
        ("A is incorrect", None),
        ("Not B.", None),
    ],
)
def test_what_is_said_to_be_wrong_does_not_count(text: str, letter: str | None) -> None:
    assert letter_in(text, LETTERS)[0] == (None if letter is None else LETTERS.index(letter))


@pytest.mark.parametrize(
    "text",
    [
        "(B) or (C)",
        "(A), (B)",
        "A or B",
        "A, B and C",
        "A/B",
        "B, A.",
        "Either A or B",
        "A\nB",
        "A) red\nB) blue",
        "It could be A or",
        "The answer is B or C",
        "The answer is B. The answer is C.",
    ],
)
def test_several_options_are_none(text: str) -> None:
    letter, notes = letter_in(text, LETTERS)
    assert letter is None
    assert notes[0].startswith("the model named several options: ")


@pytest.mark.parametrize(
    "text",
    ["", "none of them", "A man in a hat", "The answer is A man in a hat", "(F)", "I'm not sure", "<think>B"],
)
def test_no_letter_is_made_of_what_names_none(text: str) -> None:
    letter, notes = letter_in(text, LETTERS)
    assert letter is None
    assert notes[0].startswith("the model named no option: ")


@given(REPLIES)
@example("A, " * 10_000)
@example("not A or " * 10_000)
@example("((((" * 10_000)
@example("\n" * 10_000 + "A")
def test_no_reply_raises_an_error(text: str) -> None:
    letter, notes = letter_in(text, LETTERS)
    assert (letter is None) == bool(notes)
