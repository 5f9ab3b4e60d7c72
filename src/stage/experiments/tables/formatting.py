"""Tables as Markdown, as CSV and on the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as TerminalTable

from stage.experiments.jobs.runs import Result
from stage.experiments.tables.paper import Table
from stage.experiments.tables.plot import draw
from stage.experiments.tables.summary import Cell, FilledLine, fill, notes
from stage.io import write_text

MISSING = "-"
PAPER = "paper: "
FIELDS = ("table", "row", "score", "mean", "sd", "seeds", "paper")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as text."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def write_table(table: Table, results: Sequence[Result], folder: Path) -> Grid:
    """Write FOLDER/table_NAME.md, .csv and .png."""
    filled = fill(table, results)
    grid = _grid(table, filled, notes(table, results))
    stem = folder / f"table_{table.name}"
    write_text(stem.with_suffix(".md"), markdown(grid))
    write_text(stem.with_suffix(".csv"), _csv(table, filled))
    draw(table, filled, stem.with_suffix(".png"))
    return grid


def _grid(table: Table, filled: Sequence[FilledLine], said: Sequence[str]) -> Grid:
    ours = tuple(column.title for column in table.columns)
    headings = ("", *ours, *(PAPER + name for name in table.paper_headings), "n", "min")
    rows = tuple(
        (
            row.line.title,
            *(shown(cell) for cell in row.cells),
            *(_figure(row.line.paper.get(name)) for name in table.paper_headings),
            str(row.seeds or MISSING),
            MISSING if row.minutes is None else f"{row.minutes:.1f}",
        )
        for row in filled
    )
    name = f"Table {table.name}: " if table.split else ""
    paper = f"Paper: {table.split}." if table.split else "The paper has no such table."
    how = "In %, mean ± standard deviation over n seeds; min: minutes of training a run."
    return Grid(f"{name}{table.title}", headings, rows, (how, *said, paper))


def shown(cell: Cell | None) -> str:
    """ "74.20 ± 0.42"; of a single seed without a spread."""
    if cell is None:
        return MISSING
    return _figure(cell.mean) if cell.spread is None else f"{cell.mean:.2f} ± {cell.spread:.2f}"


def _figure(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def markdown(grid: Grid) -> str:
    """The grid as a Markdown table with its title above and its notes below."""
    rule = "| --- |" + " ---: |" * (len(grid.headings) - 1)
    lines = [_row(grid.headings), rule, *map(_row, grid.rows)]
    return "\n".join([f"## {grid.title}", "", *lines, "", " ".join(grid.notes), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _csv(table: Table, filled: Sequence[FilledLine]) -> str:
    """One line for each figure. A paper's figure that has no column of ours stands alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in filled:
        measured = {c.title: cell for c, cell in zip(table.columns, row.cells, strict=True)}
        for name in dict.fromkeys([*measured, *table.paper_headings]):
            cell = measured.get(name)
            figures = ("", "", "") if cell is None else (cell.mean, _or_empty(cell.spread), cell.count)
            paper = _or_empty(row.line.paper.get(name))
            writer.writerow([table.name, row.line.title, name, *figures, paper])
    return text.getvalue()


def _or_empty(value: float | None) -> float | str:
    return "" if value is None else value


def print_grid(grid: Grid, console: Console) -> None:
    """Print a grid; the paper's figure stands in brackets below ours, in a column of its own where ours has none."""
    below = {h: grid.headings.index(PAPER + h) for h in grid.headings if PAPER + h in grid.headings}
    shown_at = [i for i in range(len(grid.headings)) if i not in below.values()]
    caption = " ".join([*grid.notes, *(["In brackets: the paper's figures."] if below else [])])
    table = TerminalTable(
        title=grid.title, title_justify="left", title_style="bold", caption=caption, caption_justify="left",
        box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for i in shown_at:
        table.add_column(grid.headings[i], justify="right" if i else "left", no_wrap=i == 0, overflow="fold")
    for row in grid.rows:
        papers = {i: row[below[grid.headings[i]]] for i in shown_at if grid.headings[i] in below}
        known = {i: f"\n({figure})" for i, figure in papers.items() if figure != MISSING}
        table.add_row(*(row[i] + known.get(i, "") for i in shown_at))
    console.print(table)
