"""What the evidence page is made of: times and probabilities in words, spans, colours."""

from __future__ import annotations

import pytest

from stage.page.colours import DARK, LIGHT, SHADE, Theme
from stage.page.timeline import _ticks, overlap, shows, within
from stage.types import Clip, Moment
from stage.wording import percentage, plain, seconds, span_text

LONG = Clip("long", frame_count=300)


@pytest.mark.parametrize("first", range(1, 7))
def test_a_span_lights_exactly_the_frames_that_it_was_made_of(first: int) -> None:
    moments = [Moment(first + 6 * i, 0.1, 0.1, (), ()) for i in range(6)]
    offset = first % 6 / 3
    span = (2 * 1 + offset, 2 * (3 + 1) + offset)
    assert [within(m, span, LONG) for m in moments] == [False, True, True, True, False, False]
    assert shows(moments[1], LONG)[0] == pytest.approx(span[0])


@pytest.mark.parametrize("frame_count", range(7, 13))
def test_the_last_frame_is_lit_however_little_of_it_there_is(frame_count: int) -> None:
    clip = Clip("short", frame_count)
    before, last = (Moment(frame, 0.1, 0.1, (), ()) for frame in (1, 7))
    span = clip.cut((2 + 1 / 3, 4 + 1 / 3))
    assert 0 < span[1] - span[0] <= 2
    assert within(last, span, clip)
    assert not within(before, span, clip)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(theme: Theme) -> None:
    on_paper = [theme.ink, theme.muted, theme.right, theme.wrong, *theme.words]
    mark = tuple(int(x) for x in theme.mark.split())
    shaded = tuple(p + SHADE * (m - p) for m, p in zip(mark, rgb(theme.paper), strict=True))
    assert min(contrast(rgb(colour), rgb(theme.paper)) for colour in on_paper) >= 4.5
    assert min(contrast(rgb(colour), rgb(theme.on_word)) for colour in theme.words) >= 4.5
    assert contrast(rgb(theme.ink), shaded) >= 4.5


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_times_read_as_people_write_them() -> None:
    assert seconds(12.34, 48) == "12.3 s"
    assert seconds(59.96, 70) == "1:00.0"
    assert span_text((6.25, 12.0), 48) == "6.2 to 12.0 s"
    assert span_text((58, 62.34), 100) == "0:58.0 to 1:02.3"


def test_probabilities_are_never_rounded_to_certainty() -> None:
    assert [percentage(p) for p in (0, 0.004, 0.5, 0.996, 1)] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


def test_punctuation_stands_at_its_word() -> None:
    assert plain("Leo : Do n't ask ( please ) , it 's Mia 's .") == "Leo: Don't ask (please), it's Mia's."


def test_overlap_of_spans_is_intersection_over_union() -> None:
    assert overlap((0, 4), (2, 6)) == pytest.approx(1 / 3)
    assert overlap((0, 1), (2, 3)) == 0
    assert overlap((1, 1), (1, 1)) == 0


def test_times_of_long_films_are_told_in_hours() -> None:
    assert seconds(3671.25, 7200) == "1:01:11.2"
    assert span_text((60.0, 3600), 7200) == "1:00.0 to 1:00:00.0"
    assert [tick.text for tick in _ticks(7200)][-2:] == ["1:40:00", "2:00:00"]
    assert len(_ticks(7200)) < len(_ticks(120))
