"""The moment of a question is found coarse to fine, with a bounded number of questions to the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage.vlm.moments import MOST_WINDOWS, SHORTEST, Span, best_run, search


def overlap(window: Span, moment: Span) -> float:
    """The share of a window that lies in a moment."""
    return max(0.0, min(window[1], moment[1]) - max(window[0], moment[0])) / (window[1] - window[0])


def each(judge: Callable[[Span], float]) -> Callable[[Sequence[Span]], list[float]]:
    """Judges the windows of a level one by one."""
    return lambda windows: [judge(window) for window in windows]


@pytest.mark.parametrize(
    ("scores", "run"),
    [
        ([0.1, 0.9, 0.1], (1, 1)),
        ([0.1, 0.8, 0.9, 0.1], (1, 2)),
        ([0.9, 0.1, 0.8, 0.1], (0, 0)),
        ([0.0, 0.9, 0.6, 0.9, 0.0, 0.0], (1, 3)),
        ([0.5], (0, 0)),
    ],
)
def test_the_run_that_stands_out_has_the_largest_sum_above_the_middle(
    scores: list[float], run: tuple[int, int]
) -> None:
    # (0, .9, .6, .9, 0, 0): mean 0.4, middle (0.9 + 0.4) / 2 = 0.65; the run 1 to 3 has 0.25 - 0.05 + 0.25 = 0.45.
    assert best_run(scores) == run


def test_a_moment_is_found_to_the_shortest_window() -> None:
    # 64 s: eight windows of 8 s, of which 40..48 holds the moment; then four of 2 s.
    found = search(each(lambda window: overlap(window, (42.0, 44.0))), 64.0)
    assert found.span == (42.0, 44.0)
    assert found.judged == 12
    assert found.stands_out


def test_a_search_ends_where_the_span_is_short_enough() -> None:
    found = search(each(lambda window: overlap(window, (42.0, 44.0))), 64.0, until=8.0)
    assert found.span == (40.0, 48.0)
    assert found.judged == 8


def test_where_nothing_stands_out_the_span_is_all_of_the_film_and_said_to_be() -> None:
    found = search(each(lambda window: 0.5), 64.0)
    assert found.span == (0.0, 64.0)
    assert not found.stands_out


def test_a_film_too_short_to_be_divided_is_the_moment() -> None:
    found = search(each(lambda window: 1.0), 3.0)
    assert found.span == (0.0, 3.0)
    assert found.judged == 0


@given(st.floats(0.4, 90_000), st.randoms(use_true_random=False))
def test_any_judgements_give_a_span_in_the_film_within_the_budget(duration: float, random) -> None:  # type: ignore[no-untyped-def]
    windows: list[Span] = []

    def judge(window: Span) -> float:
        windows.append(window)
        return float(random.random())

    found = search(each(judge), duration)
    assert len(windows) == found.judged <= MOST_WINDOWS
    assert 0 <= found.span[0] < found.span[1] <= duration + 1e-6
    assert all(end - start >= SHORTEST * 0.999 for start, end in windows)
