"""Windows: where they begin and end, and how far they stand out."""

from __future__ import annotations

import numpy as np
import pytest

from stage.zero_shot.windows import Windows

TIMES = np.float32([1, 3, 5, 7])
EDGES = (0.0, 2.0, 4.0, 6.0, 8.0)


def test_windows_begin_and_end_at_cuts() -> None:
    windows = Windows.of(TIMES, EDGES, (4.5,), long_shot=30, longest=30)
    spans = list(zip(windows.start, windows.end, windows.first, windows.last, strict=True))
    assert spans == [(0, 4.5, 0, 1), (0, 8, 0, 3), (4.5, 8, 2, 3)]


@pytest.mark.parametrize("cuts", [None, ()])
def test_without_cuts_windows_begin_and_end_at_any_frame(cuts: tuple[float, ...] | None) -> None:
    windows = Windows.of(TIMES, EDGES, cuts, long_shot=30, longest=30)
    assert len(windows) == 10
    assert (windows.start[0], windows.end[0]) == (0, 2)


def test_long_shots_are_divided_at_every_frame() -> None:
    windows = Windows.of(TIMES, EDGES, (2.0,), long_shot=5, longest=30)
    assert len(windows) == 10


def test_no_window_is_longer_than_allowed_but_a_single_shot() -> None:
    windows = Windows.of(TIMES, EDGES, (6.0,), long_shot=30, longest=3)
    assert list(zip(windows.start, windows.end, strict=True)) == [(0, 6), (6, 8)]


def test_a_shot_without_a_frame_is_no_window() -> None:
    windows = Windows.of(TIMES, EDGES, (3.2, 4.8), long_shot=30, longest=30)
    assert (3.2, 4.8) not in zip(windows.start.tolist(), windows.end.tolist(), strict=True)


def test_how_far_windows_stand_out_is_their_sum_above_the_mean() -> None:
    windows = Windows.of(TIMES, EDGES, (4.0,), long_shot=30, longest=30)
    curve = np.float32([0, 0, 1, 1])  # above the mean by -0.5, -0.5, 0.5, 0.5
    assert windows.standing_out(curve, 0.0).tolist() == [-1, 0, 1]
    np.testing.assert_allclose(windows.standing_out(curve, 0.5), [-1 / 2**0.5, 0, 1 / 2**0.5])


def test_a_film_of_one_frame_has_one_window() -> None:
    windows = Windows.of(np.float32([1 / 3]), (0.0, 1 / 3), (), long_shot=30, longest=30)
    assert (len(windows), windows.first[0], windows.last[0]) == (1, 0, 0)
