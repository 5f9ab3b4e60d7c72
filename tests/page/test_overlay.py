"""Boxes and their tags are drawn where they are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from samples.page import evidence, moment, moments_of, parsed, percents, pictured, with_truth, words
from stage.types import Box


def test_each_frame_has_its_boxes_and_a_tag_for_each_word() -> None:
    moments = moments_of(parsed(with_truth(evidence())))
    assert [len(m.all("g", "box")) - len(m.all("g", "true")) for m in moments.values()] == [0, 3, 1, 0]
    assert [len(m.all("g", "true")) for m in moments.values()] == [0, 2, 0, 0]
    assert [t.text for t in moments["q1-f7"].all(name="tag")] == ["Mia 0.90", "mug 0.80"]
    assert "mug (0.80, 0.40)" in moments["q1-f7"].all("svg")[0].attributes["aria-label"]


@pytest.mark.parametrize("size", [(360, 640), (180, 320), (9, 16), (720, 1280)])
def test_boxes_are_placed_by_the_size_of_the_clip_not_of_its_images(size: tuple[int, int]) -> None:
    e = evidence()
    page = parsed(e, pictured(e, *size))
    mia = next(g for g in moments_of(page)["q1-f13"].all("g", "box"))
    line = mia.one("rect", "line")
    assert percents(line, "x", "y", "width", "height") == [10, 10, 10, 80]
    assert {(u.attributes["width"], u.attributes["height"]) for u in page.all("use")} == {("100%", "100%")}


def test_a_box_beyond_the_frame_is_clipped() -> None:
    e = replace(evidence(), moments=(moment(7, words(7, "Mia", Box(-64, 180, 700, 500, "Mia", 0.9))),))
    line = parsed(e).one("rect", "line")
    assert percents(line, "x", "y", "width", "height") == [0, 50, 100, 50]


def test_a_word_has_one_colour_everywhere() -> None:
    page = parsed(with_truth(evidence()))
    colours = {
        el.text.split()[0].lower(): {c for c in el.attributes["class"].split() if re.fullmatch(r"c\d", c)}
        for el in [*page.all("span", "word"), *page.all("span", "tag")]
    }
    assert colours == {"mia": {"c0"}, "mug": {"c1"}}
    true = moments_of(page)["q1-f7"].all("g", "true")
    assert [g.attributes["class"].split()[-1] for g in true] == ["c0", "c1"]


def test_tags_of_coinciding_boxes_do_not_hide_each_other() -> None:
    box = Box(100, 100, 300, 300, "x", 0.5)
    e = replace(evidence(), concepts=("a", "b", "c"))
    e = replace(e, moments=(moment(7, words(7, "a", box), words(7, "b", box), words(7, "c", box)),))
    tags = parsed(e).all(name="tag")
    assert len({(t.attributes["style"], t.attributes["class"].split()[1]) for t in tags}) == 3


def test_boxes_are_drawn_without_images() -> None:
    page = parsed(evidence(), {})
    assert not page.all("use")
    assert len(page.all("g", "box")) == 4
