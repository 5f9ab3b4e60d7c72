"""The timeline: start and end probabilities, and spans, as shapes over a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Evidence, Moment
from stage.wording import clock

STEP = MODEL_STRIDE / FRAMES_PER_SECOND
"""Seconds between two frames that the model reads."""

PATH_WIDTH, PATH_HEIGHT = 1000, 100
_TICK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS, _MOST_LONG_TICKS = 13, 8
"""On the axis; the fewer, long ones show hours."""


@dataclass(frozen=True, slots=True)
class Band:
    """An interval of time, in percent of the timeline."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    x: float
    """Percent of the timeline."""
    text: str
    minor: bool
    """Whether it is hidden on narrow screens."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A probability over the frames."""

    path: str
    """SVG path of PATH_WIDTH x PATH_HEIGHT."""
    peak: float
    """Its highest value."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that is drawn on the timeline."""

    start: Curve | None
    """None for both curves if the answerer gives a span as a whole, without probabilities of its start and end."""
    end: Curve | None
    predicted: Band
    true: Band | None
    ticks: tuple[Tick, ...]


def interval_of(moment: Moment, clip: Clip) -> tuple[float, float]:
    """The interval in seconds that a frame represents; a span from one frame to another covers those of both.

    The first frame that is read has a number from 1 to 6, and spans are counted from (its number mod 6) / 3 seconds
    on. So if it is 1 to 5, frames represent the time after them; if it is 6, the time before them.
    """
    start = moment.time - (STEP if moment.frame % MODEL_STRIDE == 0 else 0.0)
    return clip.clamp((start, start + STEP))


def within(moment: Moment, span: tuple[float, float], clip: Clip) -> bool:
    """Whether the middle of a frame's interval is in a true span (seconds); `Moment.in_span` is for predictions."""
    start, end = interval_of(moment, clip)
    return span[0] <= (start + end) / 2 < span[1]


def timeline_length(evidence: Evidence) -> float:
    """The length of the timeline in seconds: that of the clip, or up to the last moment if that is later."""
    return max([evidence.clip.duration, STEP, *(moment.time for moment in evidence.moments)])


def timeline(evidence: Evidence) -> Timeline:
    """The timeline of an answer with at least one moment."""
    length, moments = timeline_length(evidence), evidence.moments
    starts = [moment.start_probability for moment in moments]
    ends = [moment.end_probability for moment in moments]
    top = max(*starts, *ends)
    true = evidence.question.span
    return Timeline(
        _curve(evidence, starts, top, length) if top > 0 else None,
        _curve(evidence, ends, top, length) if top > 0 else None,
        band(evidence.prediction.span, length),
        band(true, length) if true else None,
        _ticks(length),
    )


def band(span: tuple[float, float], length: float) -> Band:
    """A span (seconds) on a timeline of `length` seconds, clipped to it."""
    left, right = (min(100.0, max(0.0, 100 * time / length)) for time in span)
    return Band(left, max(0.0, right - left))


def _curve(evidence: Evidence, values: Sequence[float], top: float, length: float) -> Curve:
    """top: the probability at the upper edge of the plot."""
    bands = [band(interval_of(moment, evidence.clip), length) for moment in evidence.moments]
    path = [f"M0 {PATH_HEIGHT}"]
    for b, value in zip(bands, values, strict=True):
        left, right = (PATH_WIDTH * x / 100 for x in (b.left, b.left + b.width))
        path.append(f"H{left:.1f}V{PATH_HEIGHT * (1 - value / top):.1f}H{right:.1f}")
    path.append(f"V{PATH_HEIGHT}H{PATH_WIDTH}")
    return Curve("".join(path), max(values))


def _ticks(length: float) -> tuple[Tick, ...]:
    most = _MOST_TICKS if length < 3600 else _MOST_LONG_TICKS
    step = next((s for s in _TICK_STEPS if length / s < most), _TICK_STEPS[-1])
    times = range(0, int(length) + 1, step)
    return tuple(Tick(100 * t / length, _tick_text(t, length), i % 2 == 1) for i, t in enumerate(times))


def _tick_text(time: int, length: float) -> str:
    return f"{time} s" if length < 60 else clock(time)
