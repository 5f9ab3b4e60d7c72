"""Means over seeds, and rows that stay empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.runs import RESULTS
from stage.experiments.tables.formatting import write_table
from stage.experiments.tables.paper import TABLE_3, TABLE_4, TABLE_6
from stage.experiments.tables.summary import Cell, fill, notes


def test_a_cell_is_a_mean_over_seeds_with_their_spread() -> None:
    rows = {row.row.title: row for row in fill(TABLE_3, RESULTS)}
    qa, grounding, _, asa = rows["STAGE"].cells
    assert qa is not None
    assert (qa.mean, qa.spread, qa.count) == (pytest.approx(71), pytest.approx(1), 3)
    assert grounding == Cell((50.0, 50.0, 50.0))
    assert asa is None
    assert rows["two-stream"].cells[0] == Cell((71.5,))
    assert rows["two-stream"].seeds == 1
    assert rows["human"].cells == (None,) * 4


def test_spans_of_a_system_that_learns_none_are_not_shown() -> None:
    rows = {row.row.title: row for row in fill(TABLE_4, RESULTS)}
    assert rows["+ aligned fusion (backbone)"].cells[2] is None
    assert rows["+ local features (STAGE)"].cells[2] is not None
    assert rows["with the true span"].cells == (Cell((90.0,) * 3), None, None, None)
    assert rows["with the true span"].minutes == 2


def test_rows_on_other_word_vectors_stay_empty_and_say_why(tmp_path: Path) -> None:
    grid = write_table(TABLE_6, RESULTS, tmp_path)
    shown = {row[0]: row[1] for row in grid.rows}
    assert shown["backbone, BERT"] == "60.00 ± 0.00"
    assert shown["backbone, GloVe"] == "-"
    assert any("backbone, GloVe: no run on GloVe features" in note for note in grid.notes)
    glove = [replace(r, text="glove@6B-50d") for r in RESULTS]
    assert {row[0]: row[1] for row in write_table(TABLE_6, glove, tmp_path).rows}["backbone, BERT"] == "-"


def test_rows_on_other_word_vectors_are_scored_on_a_copy(tmp_path: Path) -> None:
    warning = "Rows on different questions can't be compared."
    backbone = next(r for r in RESULTS if r.system == "backbone")
    on_a_copy = replace(backbone, system="backbone_glove", text="glove@6B-50d", test="data/copy")
    assert warning not in notes(TABLE_6, [*RESULTS, on_a_copy])
    elsewhere = replace(backbone, seed=backbone.seed + 3, test="data/elsewhere")
    assert warning in notes(TABLE_6, [*RESULTS, on_a_copy, elsewhere])
