"""What the evidence page says of an answer, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples.page import evidence, moment, parsed, with_truth


def test_nothing_is_marked_right_if_the_truth_is_unknown() -> None:
    page = parsed(evidence())
    assert not page.all(name="true")
    assert not page.all(name="verdict")
    assert not page.all("input")
    assert "truth" not in page.one("body").one("main").text


@pytest.mark.parametrize(("answer", "verdict"), [(0, "✓ right"), (1, "✗ wrong")])
def test_the_right_answer_is_marked_if_it_is_known(answer: int, verdict: str) -> None:
    page = parsed(with_truth(evidence(), answer))
    candidates = page.one("ol", "candidates").all("li")
    assert ["right answer" in c.text for c in candidates] == [answer == 0, answer == 1]
    assert ["predicted" in c.text for c in candidates] == [True, False]
    assert page.one(name="verdict").text == verdict


@pytest.mark.parametrize("count", [2, 8, 30])
def test_any_number_of_candidates_is_listed_with_its_probability(count: int) -> None:
    page = parsed(evidence([f"answer {i}" for i in range(count)]))
    candidates = page.one("ol", "candidates").all("li")
    assert [c.one(name="text").text.removesuffix(" predicted") for c in candidates] == [
        f"answer {i}" for i in range(count)
    ]
    assert {c.one(name="probability").text for c in candidates} == {f"{100 / count:.0f} %"}


def test_the_frame_with_the_best_boxes_is_shown_first() -> None:
    current = parsed(evidence()).one("section", "current")
    assert current.attributes["id"] == "q1-f7"
    assert "key" in current.attributes["class"].split()


def test_attended_words_are_shaded_by_their_weight() -> None:
    line = parsed(evidence()).one("section", "current").all("p", "line")[0]
    assert [(r.text, r.attributes["style"]) for r in line.all(name="read")] == [("?", "--w:0.60")]


def test_the_page_says_that_a_clip_has_no_subtitles() -> None:
    e = evidence()
    mute = replace(
        e,
        clip=replace(e.clip, sentences=()),
        moments=tuple(replace(m, sentences=()) for m in e.moments),
    )
    shown = parsed(mute).one("section", "current").text
    assert "This clip has no subtitles." in shown


def test_a_model_that_reads_no_subtitles_is_not_said_to_lack_them() -> None:
    e = evidence()
    shown = parsed(replace(e, moments=tuple(replace(m, sentences=()) for m in e.moments)))
    assert "The model does not read the subtitles." in shown.one("section", "current").text


def test_the_page_says_that_a_clip_has_no_boxes() -> None:
    e = evidence()
    page = parsed(replace(e, moments=tuple(replace(m, grounding=()) for m in e.moments)))
    assert "No boxes" in page.one(name="where").text
    assert not page.all("g", "box")
    assert (
        "no word names a person"
        in parsed(replace(e, concepts=(), moments=(moment(1),))).one(name="where").text
    )


def test_a_page_with_one_moment_is_rendered() -> None:
    e = replace(evidence(), moments=(moment(1, start=1.0, end=1.0),))
    page = parsed(e)
    assert len(page.one("ol", "strip").all("li")) == 1
    assert page.one("section", "current").attributes["id"] == "q1-f1"


def test_the_page_says_that_no_frame_was_seen() -> None:
    assert "The model saw no frame" in parsed(replace(evidence(), moments=())).one("main").text
