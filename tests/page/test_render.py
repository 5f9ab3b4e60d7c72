"""Nothing in the evidence page can act or load from elsewhere, and it is written atomically."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from samples.page import Page, evidence, moment, moments_of, parsed, pictured, with_truth, words
from stage.errors import InputError
from stage.page import render, write_page
from stage.types import AttendedSentence, Box, Sentence


def test_user_text_can_not_become_markup() -> None:
    bad = "<script>alert(1)</script>"
    quote = '"><img/src=x/onerror=alert(1)>'
    e = evidence((bad, quote))
    box = Box(1, 1, 9, 9, quote, 0.5)
    e = replace(
        e,
        clip=replace(e.clip, name=bad),
        question=replace(
            e.question, text=f"{bad} {quote}", answer_index=0, span=(1, 2), boxes={1: (box,), 7: (box,)}
        ),
        concepts=(bad, quote),
        moments=(
            replace(
                moment(1, words(1, quote, box)), sentences=(AttendedSentence(Sentence(0, 1, bad), (1.0,)),)
            ),
        ),
        notes=(bad, quote),
    )
    page = parsed(e, title=f"</title>{bad}")
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert all(not name.startswith("on") for el in page.all() for name in el.attributes)
    assert page.one("h1").text == f"</title>{bad}"
    assert page.one("head").one("title").text == f"</title>{bad}"
    assert [li.text for li in page.one("ul", "notes").all("li")] == [bad, quote]


@pytest.mark.parametrize(
    "title", ["", "  ", "{{ 7 * 7 }}", "a & b", "Größe ½ 日本語", "line\nbreak", "x" * 300]
)
def test_any_title_is_shown_as_it_is(title: str) -> None:
    shown = " ".join(title.split()) or "Evidence"
    assert parsed(evidence(), title=title).one("h1").text == shown


def test_a_page_refers_to_nothing_outside_itself() -> None:
    html = render([(with_truth(evidence()), pictured(evidence()))] * 2, "two")
    page = Page(html).root
    ids = [el.attributes["id"] for el in page.all() if "id" in el.attributes]
    assert len(ids) == len(set(ids))
    for element in page.all():
        assert element.tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in element.attributes
        href = element.attributes.get("href", "#q1")
        assert href.startswith("data:image/jpeg;base64,") or href.removeprefix("#") in ids
    targets = {el.attributes["id"]: el for el in page.all() if "id" in el.attributes}
    for number, question in enumerate(page.all("article"), 1):
        asked = page.one(name="index").all("a")[number - 1]
        assert targets[asked.attributes["href"][1:]] is question
        assert question.one(name="eyebrow").text.startswith(f"Question {number}")
        assert asked.one(name="number").text == str(number)
        for link in question.one("ol", "strip").all("a"):  # each leads to the frame that it is the picture of
            shown = targets[link.attributes["href"][1:]]
            assert shown in question.all("section", "moment")
            assert link.one(name="time").text == shown.one("h4").text.split(" s")[0] + " s"
            assert shown.one("svg").one("use").attributes == link.one("use").attributes
        switch = question.one("input", "switch")
        assert question.one("label").attributes["for"] == switch.attributes["id"]
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    policy = next(m for m in page.all("meta") if "http-equiv" in m.attributes).attributes["content"]
    assert policy.startswith("default-src 'none'")


def test_each_frame_has_its_own_picture() -> None:
    e = evidence()
    greys = {m.frame: 40 * i + 20 for i, m in enumerate(e.moments)}
    page = parsed(e, {frame: np.full((18, 32, 3), grey, np.uint8) for frame, grey in greys.items()})
    pictures = {symbol.attributes["id"]: symbol.one("image") for symbol in page.all("symbol")}
    for identifier, shown in moments_of(page).items():
        uri = pictures[shown.one("use").attributes["href"][1:]].attributes["href"]
        image = cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert abs(image.mean() - greys[int(identifier.removeprefix("q1-f"))]) < 3


def test_the_index_counts_right_answers_among_those_that_are_known() -> None:
    entries = [with_truth(evidence(), 0), with_truth(evidence(), 1), evidence()]
    page = Page(render([(e, pictured(e)) for e in entries], "three")).root
    assert page.one(name="tally").text == "1 of 2 right"
    assert [len(li.all(name="verdict")) for li in page.one(name="index").all("li")] == [1, 1, 0]


def test_a_page_without_questions_says_so() -> None:
    assert "no questions" in Page(render([], "none")).root.one("main").text


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_page(path, "first")
    write_page(path, "second \udcff")
    assert path.read_text("utf-8") == "second ?"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_a_page_that_can_not_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/page\.html: can't be written"):
        write_page(tmp_path / "file" / "page.html", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="choose another place"):
        write_page(tmp_path / "folder", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
