"""Progress on standard error, as a bar or as lines; standard output carries results only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressDisplay

from stage.terminal import PlainConsole, echo, printable
from stage.types import Progress

T = TypeVar("T")
SECONDS_BETWEEN_LINES, MOST_SECONDS_BETWEEN_LINES = 10.0, 60.0
SHARE_BETWEEN_LINES = 0.1


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show progress while the block runs; yields the callback that advances it.

    On a terminal it is a bar, elsewhere, such as in a log, a line from time to time.
    """
    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        yield ProgressLines(title).advance
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with ProgressDisplay(*columns, console=console, transient=True) as display:
        task = display.add_task(printable(title), total=None)

        def advance(done: int, total: int, item: str) -> None:
            display.update(task, completed=done, total=total, description=printable(f"{title} ({item})"))

        yield advance


def counting(items: Iterable[T], total: int, noun: str, progress: Progress) -> Iterator[T]:
    """The items, reported one by one as they are taken."""
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total, noun)


@dataclass
class ProgressLines:
    """Prints a line every ten seconds if a tenth more is done by then, and every minute in any case.

    Nothing is printed of what takes less than ten seconds.
    """

    title: str
    printed_at: float = field(default_factory=lambda: time.monotonic())
    """Time (seconds) of the last line, or of the start."""
    printed: int = 0
    """What was done then."""

    def advance(self, done: int, total: int, item: str) -> None:
        waited = time.monotonic() - self.printed_at
        enough = done - self.printed >= SHARE_BETWEEN_LINES * total
        if waited >= MOST_SECONDS_BETWEEN_LINES or (waited >= SECONDS_BETWEEN_LINES and enough):
            echo(f"{self.title}: {done:,} of {total:,} ({item})", file=sys.stderr)
            self.printed_at, self.printed = time.monotonic(), done
