"""From results of runs to what a table shows: the mean over seeds and how far they spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from stage.experiments.jobs.runs import Result
from stage.experiments.systems import SYSTEMS, TextKind, text_kind
from stage.experiments.tables.paper import Column, Line, Table

ENCODERS: dict[TextKind, str] = {"glove": "GloVe", "bert": "BERT"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A score over seeds, in percent."""

    values: tuple[float, ...]
    """One of each seed."""

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation of a seed; none of a single one."""
        return stdev(self.values) if self.count > 1 else None

    @property
    def variance_of_mean(self) -> float:
        """The squared standard error; not a number for a single seed."""
        return math.nan if self.spread is None else self.spread**2 / self.count


@dataclass(frozen=True, slots=True)
class FilledLine:
    """A row of a table with what was measured."""

    line: Line
    cells: tuple[Cell | None, ...]
    """For each column; none where nothing is measured or nothing can be."""
    seeds: int
    minutes: float | None
    """Of training, the mean of the runs that were trained in one go."""


def fill(table: Table, results: Sequence[Result]) -> list[FilledLine]:
    """The rows of a table with what runs gave."""
    return [_fill_line(line, table.columns, results) for line in table.lines]


def _fill_line(line: Line, columns: Iterable[Column], results: Sequence[Result]) -> FilledLine:
    mine = of_line(line, results)
    shown = tuple(cell(mine, column, line.true_span) if _shows(line, column) else None for column in columns)
    minutes = [result.minutes for result in mine if result.minutes is not None]
    return FilledLine(line, shown, len(mine), fmean(minutes) if minutes else None)


def _shows(line: Line, column: Column) -> bool:
    if line.system is None or (line.true_span and column.path[-1] != "qa_accuracy"):
        return False
    return not column.of_time or SYSTEMS[line.system].localises or line.shows_chance


def of_line(line: Line, results: Iterable[Result]) -> list[Result]:
    """The runs that a row is made of."""
    return [r for r in results if r.system == line.system and line.text in (None, text_kind(r.text))]


def cell(results: Iterable[Result], column: Column, true_span: bool = False) -> Cell | None:
    """A score of several runs; none if none of them has it."""
    values = []
    for result in results:
        value: object = result.scores_given_span if true_span else result.scores
        for key in column.path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            values.append(100 * float(value))
    return Cell(tuple(values)) if values else None


def notes(table: Table, results: Sequence[Result]) -> list[str]:
    """What a reader must know of the figures: on which questions, and what is missing."""
    lines = [line for line in table.lines if line.system]
    used = {r.test: r for line in lines for r in of_line(line, results)}
    said = [f"Scored on {' and '.join(used)}." if used else "No run is finished."]
    # Other word vectors come with a copy of the data: the same questions at another place.
    if len(used) > len({text_kind(r.text) for r in used.values()}):
        said.append("Rows on different questions can't be compared.")
    if (some := next(iter(used.values()), None)) and len(table.columns[0].path) > 1:
        types = some.scores["per_question_type"]
        shares = ", ".join(f"{c.title} {100 * types[c.title]['share']:.1f} %" for c in table.columns)
        said.append(f"Shares of questions: {shares}.")
    for line in lines:
        if not of_line(line, results) and line.text:
            said.append(f"{line.title}: no run on features made with {ENCODERS[line.text]}.")
    return said
