"""Coarse to fine: the moment of a question, found by judging windows of a film, then windows of the best ones"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[float, float]

WINDOWS = 8
"""Into which a part of a film is divided at each level."""
SHORTEST = 2.0
"""Seconds of a window; shorter ones are not judged."""
MOST_WINDOWS = 40
"""That are judged for one question: five levels, enough for a film of 18 hours."""
FLAT = 1e-3
"""Difference of probabilities below which no window stands out."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has found."""

    span: Span
    """In seconds."""
    judged: int
    """Windows that were judged."""
    stands_out: bool
    """False if all windows were judged alike at the first level: the span is then all of the film."""


def search(
    judge: Callable[[Sequence[Span]], Sequence[float]], duration: float, until: float = 0.0
) -> Searched:
    """Find the moment in a film of some seconds.

    judge: for each of some windows (seconds), the probability that it is shown. until: seconds of a span that is
    short enough. Each level divides the span found so far into WINDOWS of at least SHORTEST, and keeps the run of
    them that stands out.
    """
    span, judged = (0.0, duration), 0
    while (length := span[1] - span[0]) > until:
        count = min(WINDOWS, int(length / SHORTEST), MOST_WINDOWS - judged)
        if count < 2:
            break
        edges = [span[0] + length * i / count for i in range(count + 1)]
        scores = judge(list(pairwise(edges)))
        judged += count
        if max(scores) - min(scores) < FLAT:
            return Searched(span, judged, judged > count)
        first, last = best_run(scores)
        span = edges[first], edges[last + 1]
    return Searched(span, judged, True)


def best_run(scores: Sequence[float]) -> tuple[int, int]:
    """The first and the last of the consecutive windows that stand out most.

    The run with the largest sum of scores above the middle between the highest and the mean; of equal ones the
    shortest, then the first.
    """
    threshold = (max(scores) + sum(scores) / len(scores)) / 2
    runs = [(first, last) for first in range(len(scores)) for last in range(first, len(scores))]
    return max(
        runs,
        key=lambda run: (
            sum(score - threshold for score in scores[run[0] : run[1] + 1]),
            run[0] - run[1],
            -run[0],
        ),
    )
