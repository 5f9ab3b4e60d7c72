"""A table as a picture: bars for means, whiskers for spreads, a dot for each seed, diamonds for the paper."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stage.experiments.tables.paper import Table
from stage.experiments.tables.summary import Cell, FilledLine
from stage.io import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, SEED, PAPER = "#3b6ea5", "#1d3a5c", "#d1843b"


def draw(table: Table, filled: Sequence[FilledLine], path: Path) -> None:
    """One panel for each column, one bar for each row that has figures. Writes a PNG, whole or not at all."""
    from matplotlib.figure import Figure

    panels, filled = len(table.columns), drawn(filled)
    figure = Figure(figsize=(2.6 + 2.4 * panels, 1.4 + 0.34 * len(filled)), layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for i, (column, panel) in enumerate(zip(table.columns, axes, strict=True)):
        _draw_panel(panel, [row.cells[i] for row in filled])
        headings = table.paper_headings if len(table.columns) == 1 else (column.title,)
        for heading in headings:
            figures = [(row.line.paper.get(heading), y) for y, row in enumerate(filled)]
            known = [(figure, y) for figure, y in figures if figure is not None]
            panel.scatter(
                *zip(*known, strict=True) if known else ((), ()), marker="D", s=22, color=PAPER, zorder=4
            )
        panel.set_title(column.title)
        panel.set_xlim(left=0)
        panel.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(filled)), [_label(row) for row in filled])
    axes[0].set_ylim(len(filled) - 0.5, -0.5)
    paper = f"; diamonds: the paper, {table.split}" if table.split else ""
    figure.supxlabel(f"%, mean and standard deviation over n seeds{paper}", fontsize="medium")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=130, format="png", bbox_inches="tight")
    write_bytes(path, picture.getvalue())


def drawn(filled: Sequence[FilledLine]) -> list[FilledLine]:
    """The rows with figures of ours or of the paper; all of them if none has any."""
    return [row for row in filled if row.seeds or row.line.paper] or list(filled)


def _draw_panel(panel: Axes, cells: Sequence[Cell | None]) -> None:
    for y, cell in enumerate(cells):
        if cell is not None:
            panel.barh(y, cell.mean, xerr=cell.spread, color=OURS, ecolor=SEED, capsize=3, height=0.7)
            if cell.count > 1:
                panel.scatter(cell.values, [y] * cell.count, s=8, color=SEED, zorder=3)


def _label(row: FilledLine) -> str:
    return f"{row.line.title} (n = {row.seeds})" if row.seeds else row.line.title
