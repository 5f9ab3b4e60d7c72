"""The paper's tables and figures."""

from __future__ import annotations

import re

import pytest

from samples.places import SPEC
from stage.experiments.systems import SYSTEMS
from stage.experiments.tables.paper import TABLE_3, TABLE_4, TABLE_5, TABLES, Table


@pytest.mark.skipif(not SPEC.exists(), reason="the paper's figures (../shared) are not there")
@pytest.mark.parametrize(("table", "rows"), [(TABLE_3, 6), (TABLE_4, 7), (TABLE_5, 5)])
def test_figures_of_the_paper_are_those_of_its_tables(table: Table, rows: int) -> None:
    part = SPEC.read_text().split(f"\nTable {table.name},")[1].split("\n\n")[0]
    cells = [re.findall(r"(?<=\| )[\d.*-]+(?= )", line) for line in part.splitlines()[3:]]
    expected = [[None if c == "-" else float(c.strip("*")) for c in row] for row in cells]
    assert len(expected) == rows
    ours = [[row.paper.get(name) for name in table.paper_headings] for row in table.rows if row.paper]
    assert ours == (
        expected if table is not TABLE_5 else [list(column) for column in zip(*expected, strict=True)]
    )


def test_a_system_that_several_tables_show_is_trained_once() -> None:
    shown = [name for table in TABLES.values() for name in table.systems]
    assert shown.count("stage") == 6
    assert set(shown) == set(SYSTEMS)
