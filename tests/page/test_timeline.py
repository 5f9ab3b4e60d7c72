"""Spans and frames on the timeline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples.page import evidence, parsed, percents, with_truth
from stage.page.timeline import _ticks, interval_of, within
from stage.types import Clip, Moment
from stage.wording import seconds, span_text

LONG = Clip("long", frame_count=300)


def test_the_predicted_and_the_true_span_are_where_they_are_in_the_clip() -> None:
    page = parsed(with_truth(evidence()))
    assert percents(page.one("rect", "predicted"), "x", "width") == pytest.approx([29.17, 50.0], abs=0.01)
    line = page.one("svg", "timeline").one("g", "true").all("line")[0]
    assert percents(line, "x1", "x2") == [37.5, 75.0]
    assert page.one("p", "truth").text == "True span 3.0 to 6.0 s, IoU 0.75"


def test_curves_are_left_out_if_the_answerer_gives_no_probabilities_of_start_and_end() -> None:
    e = with_truth(evidence())
    assert parsed(e).one("section", "when").one("h3").text == "When: start and end probability"
    whole = replace(
        e, moments=tuple(replace(m, start_probability=0.0, end_probability=0.0) for m in e.moments)
    )
    section = parsed(whole).one("section", "when")
    assert section.one("h3").text == "When"
    assert not section.all("path")
    assert not section.all(name="sketch")
    drawing = section.one("svg", "timeline")
    assert "probability" not in drawing.attributes["aria-label"]
    assert percents(drawing.one("rect", "predicted"), "x", "width") == pytest.approx([29.17, 50.0], abs=0.01)
    assert drawing.one("g", "true")
    assert len(drawing.all("g", "tick")) > 2


def test_the_frames_of_the_span_are_highlighted_and_those_of_the_true_span_underlined() -> None:
    strip = parsed(with_truth(evidence())).one("ol", "strip").all("li")
    assert [li.attributes["class"].split() for li in strip] == [[], ["lit", "true"], ["lit", "true"], []]


@pytest.mark.parametrize("first", range(1, 7))
def test_a_span_highlights_exactly_the_frames_that_it_was_made_from(first: int) -> None:
    moments = [Moment(first + 6 * i, 0.1, 0.1, (), (), in_span=False) for i in range(6)]
    offset = first % 6 / 3
    span = (2 * 1 + offset, 2 * (3 + 1) + offset)
    assert [within(m, span, LONG) for m in moments] == [False, True, True, True, False, False]
    assert interval_of(moments[1], LONG)[0] == pytest.approx(span[0])


@pytest.mark.parametrize("frame_count", range(7, 13))
def test_the_last_frame_is_highlighted_however_short_it_is(frame_count: int) -> None:
    clip = Clip("short", frame_count)
    before, last = (Moment(frame, 0.1, 0.1, (), (), in_span=False) for frame in (1, 7))
    span = clip.clamp((2 + 1 / 3, 4 + 1 / 3))
    assert 0 < span[1] - span[0] <= 2
    assert within(last, span, clip)
    assert not within(before, span, clip)


def test_times_of_long_films_are_shown_in_hours() -> None:
    assert seconds(3671.25, 7200) == "1:01:11.2"
    assert span_text((60.0, 3600), 7200) == "1:00.0 to 1:00:00.0"
    assert [tick.text for tick in _ticks(7200)][-2:] == ["1:40:00", "2:00:00"]
    assert len(_ticks(7200)) < len(_ticks(120))
