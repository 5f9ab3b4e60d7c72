"""Progress bars on standard error; standard output carries results only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressDisplay

from stage.types import Progress


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show a bar while the block runs, if standard error is a terminal; yields the callback that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with ProgressDisplay(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as display:
        task = display.add_task(title, total=None)

        def advance(done: int, total: int, item: str) -> None:
            display.update(task, completed=done, total=total, description=f"{title} ({item})")

        yield advance
