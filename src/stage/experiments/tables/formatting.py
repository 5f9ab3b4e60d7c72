"""Tables as Markdown and CSV files, and on the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as TerminalTable

from stage.annotation.statistics import PLOT
from stage.experiments.jobs.runs import Result
from stage.experiments.tables.paper import Table
from stage.experiments.tables.plot import draw
from stage.experiments.tables.summary import Cell, FilledRow, fill, notes
from stage.io import OutputKind, starts_with, write_text

MISSING = "-"
PAPER = "paper: "
FIELDS = ("table", "row", "score", "mean", "sd", "seeds", "paper")


@dataclass(frozen=True, slots=True)
class Grid:
    """The text of a table, cell by cell."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def table_files(table: Table, folder: Path) -> dict[Path, OutputKind]:
    """The files of a table, in the order of text, values and plot, and what each is."""
    stem = folder / f"table_{table.name}"
    return {
        stem.with_suffix(".md"): OutputKind("a table", lambda path: starts_with(path, r"## .+\n\n\|  \| ")),
        stem.with_suffix(".csv"): OutputKind("a table", lambda path: starts_with(path, ",".join(FIELDS))),
        stem.with_suffix(".png"): PLOT,
    }


def write_table(table: Table, results: Sequence[Result], folder: Path) -> Grid:
    """Write FOLDER/table_NAME.md, .csv and .png."""
    filled = fill(table, results)
    grid = _grid(table, filled, notes(table, results))
    text, values, plot = table_files(table, folder)
    write_text(text, markdown(grid))
    write_text(values, _csv(table, filled))
    draw(table, filled, plot)
    return grid


def _grid(table: Table, filled_rows: Sequence[FilledRow], sentences: Sequence[str]) -> Grid:
    scores = tuple(column.title for column in table.columns)
    headings = ("", *scores, *(PAPER + name for name in table.paper_headings), "n", "min")
    rows = tuple(
        (
            filled.row.title,
            *(cell_text(cell) for cell in filled.cells),
            *(_figure(filled.row.paper.get(name)) for name in table.paper_headings),
            str(filled.seeds or MISSING),
            MISSING if filled.minutes is None else f"{filled.minutes:.1f}",
        )
        for filled in filled_rows
    )
    name = f"Table {table.name}: " if table.split else ""
    paper = f"Paper: {table.split}." if table.split else "The paper has no such table."
    units = "In %, mean ± standard deviation over n seeds; min: minutes of training per run."
    return Grid(f"{name}{table.title}", headings, rows, (units, *sentences, paper))


def cell_text(cell: Cell | None) -> str:
    """Mean and standard deviation in percent: "74.20 ± 0.42"; "74.20" for a single seed; "-" without a result."""
    if cell is None:
        return MISSING
    return _figure(cell.mean) if cell.spread is None else f"{cell.mean:.2f} ± {cell.spread:.2f}"


def _figure(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def markdown(grid: Grid) -> str:
    """The grid as a Markdown table, with its title above and its notes below."""
    rule = "| --- |" + " ---: |" * (len(grid.headings) - 1)
    lines = [_row(grid.headings), rule, *map(_row, grid.rows)]
    return "\n".join([f"## {grid.title}", "", *lines, "", " ".join(grid.notes), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _csv(table: Table, filled_rows: Sequence[FilledRow]) -> str:
    """One line per score. A figure of the paper that no column corresponds to has a line of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for filled in filled_rows:
        measured = {c.title: cell for c, cell in zip(table.columns, filled.cells, strict=True)}
        for name in dict.fromkeys([*measured, *table.paper_headings]):
            cell = measured.get(name)
            figures = ("", "", "") if cell is None else (cell.mean, _or_empty(cell.spread), cell.count)
            paper = _or_empty(filled.row.paper.get(name))
            writer.writerow([table.name, filled.row.title, name, *figures, paper])
    return text.getvalue()


def _or_empty(value: float | None) -> float | str:
    return "" if value is None else value


def print_grid(grid: Grid, console: Console) -> None:
    """Print a grid. The paper's figures are in brackets below ours, or in columns of their own if ours has none."""
    below = {h: grid.headings.index(PAPER + h) for h in grid.headings if PAPER + h in grid.headings}
    columns = [i for i in range(len(grid.headings)) if i not in below.values()]
    caption = " ".join([*grid.notes, *(["In brackets: the paper's figures."] if below else [])])
    table = TerminalTable(
        title=grid.title, title_justify="left", title_style="bold", caption=caption, caption_justify="left",
        box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for i in columns:
        table.add_column(grid.headings[i], justify="right" if i else "left", no_wrap=i == 0, overflow="fold")
    for row in grid.rows:
        papers = {i: row[below[grid.headings[i]]] for i in columns if grid.headings[i] in below}
        bracketed = {i: f"\n({figure})" for i, figure in papers.items() if figure != MISSING}
        table.add_row(*(row[i] + bracketed.get(i, "") for i in columns))
    console.print(table)
