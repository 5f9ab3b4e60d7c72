"""`stage tables`: the paper's tables on any data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.runtime.hardware import usable_cores

CORES_OF_A_JOB = 4


def tables(
    config: Annotated[Path, typer.Option(help="The configuration of STAGE in full, as of `stage train`.")],
    test: Annotated[Path, typer.Option(help="The questions to score: a data folder, or FOLDER/SPLIT.")],
    table: Annotated[
        list[str] | None,
        typer.Argument(help="3, 4, 5, 6, supervision or sitcom; all unless given.", metavar="[TABLE]..."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for runs and tables.")] = Path("runs/tables"),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time; each has its share of the cores.")] = max(
        1, usable_cores() // CORES_OF_A_JOB
    ),
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Train this row only (can be repeated); tables show all that are finished."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting of all rows: key=value, such as training.epochs=3."),
    ] = None,
) -> None:
    """Train what the tables still lack, score it, and write tables with means, spreads and the paper's figures.

    A run with scores is not run again, a stopped one goes on. A run that fails is named, and the others go on.
    """
    from rich.console import Console

    from stage.commands.progress import progress_bar
    from stage.experiments.jobs.runs import unfinished_runs
    from stage.experiments.jobs.scheduler import Failure, perform_all
    from stage.experiments.systems import systems_named
    from stage.experiments.tables.paper import tables_named
    from stage.experiments.tables.publish import default_tables, publish, row_names

    chosen = tables_named(table or default_tables(test))
    systems = systems_named(rows) if rows else row_names(chosen)
    runs = unfinished_runs(config, test, out, systems, seeds, set_ or ())
    failures: list[Failure] = []
    try:
        with progress_bar("Runs") as progress:
            failures = perform_all(runs, jobs, lambda done, what: progress(done, len(runs), what))
    finally:  # what is finished is told even if the rest is stopped
        publish(chosen, out, Console(highlight=False))
    print(f"tables, plots and audits are in {out}")
    for failure in failures:
        print(
            f"stage: {failure.run.name} failed: {failure.reason}; see {failure.run.folder}", file=sys.stderr
        )
    if failures:
        raise typer.Exit(1)
