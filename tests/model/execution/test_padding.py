"""Sizes are rounded up so that few of them occur."""

from __future__ import annotations

from stage.model.execution.padding import round_up


def test_sizes_are_rounded_up_by_an_eighth_at_most() -> None:
    sizes = [round_up(n) for n in range(1, 2000)]
    assert all(n <= size <= 9 * n / 8 for n, size in enumerate(sizes, start=1))
    assert len(set(sizes)) < 80
