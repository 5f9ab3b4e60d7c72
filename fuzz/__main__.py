"""The command line of fuzzing: kinds in parallel processes, and a table at the end."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

# Before numpy and torch are imported: trials are forked, and a process with several threads can't be.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import typer
from rich.console import Console
from rich.table import Table

from fuzz.kinds import KINDS, fuzz_kind
from fuzz.session import Tally
from fuzz.trial import READ, REFUSED


def main(
    seed: Annotated[int, typer.Option(help="Of all changes: the same seed gives the same inputs.")] = 1,
    inputs: Annotated[int, typer.Option(min=1, help="Inputs of each kind.")] = 200,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; can be repeated.")] = None,
    only: Annotated[int | None, typer.Option(help="Only the input of this number.")] = None,
    first: Annotated[int, typer.Option(help="Number of the first input.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Kinds that are tried at once.")] = len(
        os.sched_getaffinity(0)
    ),
    keep: Annotated[Path, typer.Option(help="Folder for the inputs that fail.")] = Path("fuzz-failures"),
) -> None:
    """Change valid files at random, and read them as the commands do."""
    known = [k.name for k in KINDS]
    if unknown := set(kind or ()) - set(known):
        raise typer.BadParameter(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    numbers = range(first, first + inputs) if only is None else range(only, only + 1)
    names = [name for name in known if not kind or name in kind]
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        tallies = list(pool.map(partial(fuzz_kind, seed=seed, numbers=numbers, keep=keep.absolute()), names))
    Console().print(_table(tallies, seed))
    if any(tally.failures for tally in tallies):
        print(f"{keep}: the inputs that failed; --kind KIND --seed {seed} --only NUMBER tries one again")
        raise typer.Exit(1)


def _table(tallies: list[Tally], seed: int) -> Table:
    table = Table(title=f"Inputs tried by kind, seed {seed}", title_justify="left", show_footer=True)
    total = [sum(sum(t.results[r] for r in results) for t in tallies) for results in ((READ,), (REFUSED,))]
    tried, failed = sum(t.results.total() for t in tallies), sum(len(t.failures) for t in tallies)
    columns = [
        ("kind", f"{len(tallies)} kinds"), ("inputs", f"{tried:,}"), ("read", f"{total[0]:,}"),
        ("refused", f"{total[1]:,}"), ("failures", f"{failed:,}"),
        ("peak MB", f"{max(t.megabytes for t in tallies):,.0f}"),
        ("longest s", f"{max(t.seconds for t in tallies):.1f}"),
    ]  # fmt: skip
    for name, footer in columns:
        table.add_column(name, footer, justify="left" if name == "kind" else "right")
    for t in tallies:
        counts = (t.results.total(), t.results[READ], t.results[REFUSED], len(t.failures))
        table.add_row(t.kind, *(f"{n:,}" for n in counts), f"{t.megabytes:,.0f}", f"{t.seconds:.1f}")
    return table


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
