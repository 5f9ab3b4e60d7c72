"""Tables as Markdown, CSV, image and on the terminal."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from samples.runs import RESULTS
from stage.experiments.tables.formatting import print_grid, write_table
from stage.experiments.tables.paper import TABLE_3, TABLE_6


def test_a_table_is_written_as_markdown_csv_and_picture(tmp_path: Path) -> None:
    write_table(TABLE_3, RESULTS, tmp_path)
    said = (tmp_path / "table_3.md").read_text()
    assert (
        "| STAGE | 71.00 ± 1.00 | 50.00 ± 0.00 | 60.00 ± 0.00 | - | 74.83 | 27.34 | 32.49 | 22.23 | 3 | 2.0 |"
        in said
    )
    assert "Scored on data/test." in said
    with (tmp_path / "table_3.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["row"] == "STAGE" and row["score"] == "QA Acc."]
    assert [(float(r["mean"]), float(r["sd"]), r["seeds"], r["paper"]) for r in rows] == [
        (pytest.approx(71), pytest.approx(1), "3", "74.83")
    ]
    assert (tmp_path / "table_3.png").read_bytes().startswith(b"\x89PNG")


def test_a_narrow_terminal_shows_every_figure(tmp_path: Path) -> None:
    console = Console(width=80, file=StringIO())
    for table in (TABLE_3, TABLE_6):
        print_grid(write_table(table, RESULTS, tmp_path), console)
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    for figure in ("71.00 ±", "1.00", "(74.83)", "(20.13)", "66.46", "60.00 ±"):
        assert figure in shown
    assert max(map(len, shown.splitlines())) <= 80
