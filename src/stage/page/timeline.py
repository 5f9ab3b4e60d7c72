"""The start and end probabilities over a clip, and the spans, as shapes on a line of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Evidence, Moment
from stage.wording import clock

STEP = MODEL_STRIDE / FRAMES_PER_SECOND
"""Seconds from one frame that the model sees to the next."""

PATH_WIDTH, PATH_HEIGHT = 1000, 100
_TICK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS, _MOST_LONG_TICKS = 13, 8
"""On the axis; long ones are those with hours."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time, in percent of the clip."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    x: float
    """Percent of the clip."""
    text: str
    minor: bool
    """Whether it is left out where there is little room."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A probability over the frames, as an SVG path of PATH_WIDTH x PATH_HEIGHT, and its highest value."""

    path: str
    peak: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn on the line of time."""

    start: Curve
    end: Curve
    top: float
    """The probability at the plot's upper edge."""
    predicted: Band
    true: Band | None
    ticks: tuple[Tick, ...]


def shows(moment: Moment, clip: Clip) -> tuple[float, float]:
    """The seconds of a clip that a frame stands for; a span from one frame to another covers exactly those of both.

    The first frame is number 1 to 6, and spans are counted from (first frame mod 6) / 3 seconds on: frames 1 to 5
    stand for the time after them, frame 6 for the time before it.
    """
    start = moment.time - (STEP if moment.frame % MODEL_STRIDE == 0 else 0.0)
    return clip.cut((start, start + STEP))


def within(moment: Moment, span: tuple[float, float], clip: Clip) -> bool:
    """Whether most of what a frame of a clip stands for lies in the span."""
    start, end = shows(moment, clip)
    return span[0] <= (start + end) / 2 < span[1]


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two spans."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def length_of(evidence: Evidence) -> float:
    """Seconds that the line of time covers: the clip, or all that is told of it if that is longer."""
    return max([evidence.clip.duration, STEP, *(moment.time for moment in evidence.moments)])


def timeline(evidence: Evidence) -> Timeline:
    """Shapes for an answer that has at least one moment."""
    length, moments = length_of(evidence), evidence.moments
    starts = [moment.start_probability for moment in moments]
    ends = [moment.end_probability for moment in moments]
    top = max(*starts, *ends, 1e-6)
    true = evidence.question.span
    return Timeline(
        _curve(evidence, starts, top, length),
        _curve(evidence, ends, top, length),
        top,
        band(evidence.prediction.span, length),
        band(true, length) if true else None,
        _ticks(length),
    )


def band(span: tuple[float, float], length: float) -> Band:
    """A span as a part of a clip of `length` seconds; what lies outside the clip is cut off."""
    left, right = (min(100.0, max(0.0, 100 * time / length)) for time in span)
    return Band(left, max(0.0, right - left))


def _curve(evidence: Evidence, values: Sequence[float], top: float, length: float) -> Curve:
    bands = [band(shows(moment, evidence.clip), length) for moment in evidence.moments]
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
