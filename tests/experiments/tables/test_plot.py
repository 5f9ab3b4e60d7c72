"""Tables as bar charts."""

from __future__ import annotations

from samples.runs import RESULTS
from stage.experiments.tables.paper import TABLE_3, TABLES
from stage.experiments.tables.plot import drawn_rows
from stage.experiments.tables.summary import fill


def test_a_chart_has_no_bars_for_rows_without_figures() -> None:
    supervision = TABLES["supervision"]
    assert [row.row.system for row in drawn_rows(fill(supervision, RESULTS))] == ["backbone", "stage"]
    assert len(drawn_rows(fill(supervision, ()))) == len(supervision.rows)
    assert [row.row.title for row in drawn_rows(fill(TABLE_3, ()))][-1] == "human"  # the paper's figures
