"""Results of runs -> filled table rows: means and spreads over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from stage.experiments.jobs.runs import Result
from stage.experiments.systems import SYSTEMS, TextKind, text_kind
from stage.experiments.tables.paper import Column, Row, Table

ENCODERS: dict[TextKind, str] = {"glove": "GloVe", "bert": "BERT"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A score over seeds, in percent."""

    values: tuple[float, ...]
    """One per seed."""

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds; None for a single one."""
        return stdev(self.values) if self.count > 1 else None

    @property
    def variance_of_mean(self) -> float:
        """The squared standard error of the mean; NaN for a single seed."""
        return math.nan if self.spread is None else self.spread**2 / self.count


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A row of a table with its results."""

    row: Row
    cells: tuple[Cell | None, ...]
    """One per column; None where there is no result, or where the score is meaningless."""
    seeds: int
    minutes: float | None
    """Of training: the mean over the runs that were never interrupted."""


def fill(table: Table, results: Sequence[Result]) -> list[FilledRow]:
    """The rows of a table with their results."""
    return [_fill_row(row, table.columns, results) for row in table.rows]


def _fill_row(row: Row, columns: Iterable[Column], results: Sequence[Result]) -> FilledRow:
    own = results_of(row, results)
    cells = tuple(cell(own, column, row.true_span) if _shows(row, column) else None for column in columns)
    minutes = [result.minutes for result in own if result.minutes is not None]
    return FilledRow(row, cells, len(own), fmean(minutes) if minutes else None)


def _shows(row: Row, column: Column) -> bool:
    if row.system is None or (row.true_span and column.path[-1] != "qa_accuracy"):
        return False
    return not column.temporal or SYSTEMS[row.system].localises or row.shows_chance


def results_of(row: Row, results: Iterable[Result]) -> list[Result]:
    """The results that a row summarises."""
    return [r for r in results if r.system == row.system and row.text in (None, text_kind(r.text))]


def cell(results: Iterable[Result], column: Column, true_span: bool = False) -> Cell | None:
    """A score over several runs; None if no run has it. true_span: as scored when given the true span."""
    values = []
    for result in results:
        value: object = result.scores_given_span if true_span else result.scores
        for key in column.path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            values.append(100 * float(value))
    return Cell(tuple(values)) if values else None


def notes(table: Table, results: Sequence[Result]) -> list[str]:
    """Sentences for below a table: the questions that it was scored on, and what is missing."""
    rows = [row for row in table.rows if row.system]
    used = {r.test: r for row in rows for r in results_of(row, results)}
    sentences = [f"Scored on {' and '.join(used)}." if used else "No run is finished."]
    # Other word vectors come with a copy of the data: the same questions under another path.
    if len(used) > len({text_kind(r.text) for r in used.values()}):
        sentences.append("Rows on different questions can't be compared.")
    if (example := next(iter(used.values()), None)) and len(table.columns[0].path) > 1:
        types = example.scores["per_question_type"]
        shares = ", ".join(f"{c.title} {100 * types[c.title]['share']:.1f} %" for c in table.columns)
        sentences.append(f"Shares of questions: {shares}.")
    for row in rows:
        if not results_of(row, results) and row.text:
            sentences.append(f"{row.title}: no run on {ENCODERS[row.text]} features.")
    return sentences
