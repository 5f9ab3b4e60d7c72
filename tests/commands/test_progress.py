"""Progress outside a terminal is a line from time to time."""

from __future__ import annotations

import pytest

from stage.commands import progress
from stage.commands.progress import ProgressLines, counting, progress_bar


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(clock: Clock, steps: int, seconds: float, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed for some steps that take some seconds each."""
    with progress_bar("Scoring") as advance:
        for step in range(1, steps + 1):
            clock.now += seconds
            advance(step, steps, "questions")
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_a_line_is_printed_every_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(clock, 36, 1, capsys) == [f"Scoring: {done} of 36 (questions)" for done in (10, 20, 30)]


def test_nothing_is_printed_of_what_is_short(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(clock, 9, 1, capsys) == []


def test_long_work_prints_a_line_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    printed = lines(clock, 36_000, 1, capsys)
    assert printed[:2] == ["Scoring: 60 of 36,000 (questions)", "Scoring: 120 of 36,000 (questions)"]
    assert len(printed) == 600


def test_items_are_reported_as_they_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    taken = counting("abc", 3, "letters", lambda done, total, noun: seen.append((done, total, noun)))
    assert next(taken) == "a"
    assert seen == []
    assert list(taken) == ["b", "c"]
    assert seen == [(1, 3, "letters"), (2, 3, "letters"), (3, 3, "letters")]


def test_work_without_steps_prints_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    ProgressLines("Scoring").advance(0, 0, "questions")
    assert capsys.readouterr().err == ""
