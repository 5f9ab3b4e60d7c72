"""A table as a bar plot: means, spreads, single seeds, the paper's figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stage.experiments.tables.paper import Table
from stage.experiments.tables.summary import Cell, FilledRow
from stage.io import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, SEED, PAPER = "#3b6ea5", "#1d3a5c", "#d1843b"


def draw(table: Table, filled_rows: Sequence[FilledRow], path: Path) -> None:
    """Write a PNG atomically: a panel per column, with a bar per row that has results or figures of the paper.

    Bars are means, whiskers standard deviations, dots single seeds, diamonds the paper's figures.
    """
    from matplotlib.figure import Figure

    panels, rows = len(table.columns), drawn_rows(filled_rows)
    figure = Figure(figsize=(2.6 + 2.4 * panels, 1.4 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for i, (column, panel) in enumerate(zip(table.columns, axes, strict=True)):
        _draw_panel(panel, [filled.cells[i] for filled in rows])
        headings = table.paper_headings if len(table.columns) == 1 else (column.title,)
        for heading in headings:
            figures = [(filled.row.paper.get(heading), y) for y, filled in enumerate(rows)]
            known = [(figure, y) for figure, y in figures if figure is not None]
            panel.scatter(
                *zip(*known, strict=True) if known else ((), ()), marker="D", s=22, color=PAPER, zorder=4
            )
        panel.set_title(column.title)
        panel.set_xlim(left=0)
        panel.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(rows)), [_label(filled) for filled in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    paper = f"; diamonds: the paper, {table.split}" if table.split else ""
    figure.supxlabel(f"%, mean and standard deviation over n seeds{paper}", fontsize="medium")
    png = io.BytesIO()
    figure.savefig(png, dpi=130, format="png", bbox_inches="tight")
    write_bytes(path, png.getvalue())


def drawn_rows(filled_rows: Sequence[FilledRow]) -> list[FilledRow]:
    """The rows with results or figures of the paper; all of them if none has any."""
    return [filled for filled in filled_rows if filled.seeds or filled.row.paper] or list(filled_rows)


def _draw_panel(panel: Axes, cells: Sequence[Cell | None]) -> None:
    for y, cell in enumerate(cells):
        if cell is not None:
            panel.barh(y, cell.mean, xerr=cell.spread, color=OURS, ecolor=SEED, capsize=3, height=0.7)
            if cell.count > 1:
                panel.scatter(cell.values, [y] * cell.count, s=8, color=SEED, zorder=3)


def _label(filled: FilledRow) -> str:
    return f"{filled.row.title} (n = {filled.seeds})" if filled.seeds else filled.row.title
