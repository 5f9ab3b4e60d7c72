"""Who answered is said with how often that one is right, and no answer looks certain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples.page import evidence, parsed, with_truth
from stage.page.answered_by import fine_likelihood, likelihood, track_record, who_answered
from stage.types import AnsweredBy, TrackRecord

RECORD = TrackRecord("short live-action clips", 81, 33 / 81, 0.2, 0.384)


def test_a_record_is_said_with_luck_and_the_number_of_questions() -> None:
    assert who_answered(AnsweredBy("zero-shot", "the film is live action", RECORD)) == (
        "answered by zero-shot, because the film is live action; on short live-action clips it is right on 41 of 100 "
        "questions (20 by luck), its spans overlap the true ones by 0.38 (mean IoU); n = 81"
    )
    assert who_answered(AnsweredBy("vlm:x")) == (
        "answered by vlm:x; it was never measured on films of this kind, so how far to trust it is unknown"
    )


def test_a_record_that_luck_could_have_is_said_to_be_one() -> None:
    # Of 81 questions with five answers, luck has 0.2 and a standard error of 0.044: up to 0.27 tells nothing.
    for right, told in ((0.26, False), (0.28, True)):
        text = track_record(replace(RECORD, right=right, span_iou=None))
        assert ("from which it can not be told" in text) is not told


@pytest.mark.parametrize(
    ("probability", "whole", "fine"),
    [
        (0.0, "< 1 %", "< 0.1%"), (0.0004, "< 1 %", "< 0.1%"), (0.012, "1 %", "1.2%"), (0.5, "50 %", "50.0%"),
        (0.9994, "> 99 %", "99.9%"), (0.99999, "> 99 %", "> 99.9%"), (1.0, "> 99 %", "> 99.9%"),
    ],
)  # fmt: skip
def test_no_probability_is_shown_as_certain(probability: float, whole: str, fine: str) -> None:
    assert (likelihood(probability), fine_likelihood(probability)) == (whole, fine)


def test_nobody_is_always_right() -> None:
    assert "right on 99 of 100" in track_record(replace(RECORD, right=0.999))


def test_the_page_says_who_answered_below_the_answers() -> None:
    by = AnsweredBy("<i>x</i>", "it is here", RECORD)
    page = parsed(replace(evidence(), answered_by=by))
    who = page.one("section", "answers").one("p", "who").text
    assert who.startswith(
        "Answered by <i>x</i>, because it is here; on short live-action clips it is right on 41 of"
    )
    assert not parsed(evidence()).all("p", "who")


def test_the_page_shows_an_answer_that_was_written_freely_without_a_probability() -> None:
    free = replace(with_truth(evidence(["A mug , I think . <b>"]), answer=0), free=True)
    page = parsed(free)
    answers = page.one("section", "answers")
    assert answers.one("p", "free").text == "A mug , I think . <b> written freely"
    assert not answers.all("ol", "candidates")
    assert "%" not in answers.text
    assert not page.all("span", "verdict")  # nobody has judged it
