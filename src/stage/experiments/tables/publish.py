"""Write and print the tables and audits of all finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from stage.experiments.jobs.runs import Result, read_results
from stage.experiments.systems import SYSTEMS
from stage.experiments.tables.audit import PAPER_CLAIMS, SITCOM_CLAIMS, Claim, Verdict, audit, markdown
from stage.experiments.tables.formatting import print_grid, table_files, write_table
from stage.experiments.tables.paper import SITCOM, TABLES, Table
from stage.io import OutputKind, check_output, starts_with, write_text

AUDIT, SOUNDNESS = "audit.md", "soundness.md"
AUDIT_FILE = OutputKind("an audit", lambda path: starts_with(path, r"## .+\n\n\| claim \| verdict \|"))
MADE_BY_SITCOM = "sitcom.json"
"""A file that `stage sitcom` writes to its data folders."""


def default_tables(test: Path) -> list[str]:
    """All tables, but the sitcom's only for questions of the sitcom."""
    return [name for name in TABLES if name != SITCOM.name or (test / MADE_BY_SITCOM).exists()]


def check_outputs(tables: Sequence[Table], out: Path, overwrite: bool) -> None:
    """Raises InputError if `publish` would replace other files than those that it writes. overwrite: it may."""
    files = {out / AUDIT: AUDIT_FILE, **({out / SOUNDNESS: AUDIT_FILE} if SITCOM in tables else {})}
    for table in tables:
        files |= table_files(table, out)
    for path, kind in files.items():
        check_output(path, kind, overwrite=overwrite)


def publish(tables: Sequence[Table], out: Path, console: Console) -> None:
    """Write all tables and audits of the runs below `out`, then print them."""
    results = read_results(out)
    grids = [write_table(table, results, out) for table in tables]
    audits = [_audit("What the paper claims", PAPER_CLAIMS, results, out / AUDIT)]
    if SITCOM in tables:
        audits.append(_audit("Whether the sitcom is sound", SITCOM_CLAIMS, results, out / SOUNDNESS))
    for grid in grids:
        print_grid(grid, console)
    for title, verdicts in audits:
        console.print(title, style="bold")
        for verdict in verdicts:
            console.print(f"  {verdict}", soft_wrap=True)


def _audit(
    title: str, claims: Sequence[Claim], results: Sequence[Result], path: Path
) -> tuple[str, list[Verdict]]:
    """Write an audit. Returns its title and verdicts."""
    verdicts = audit(claims, results)
    write_text(path, markdown(title, verdicts))
    return title, verdicts


def row_names(tables: Sequence[Table]) -> list[str]:
    """The systems of some tables without duplicates, in the order of SYSTEMS."""
    shown = {name for table in tables for name in table.systems}
    return [name for name in SYSTEMS if name in shown]
