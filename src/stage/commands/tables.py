"""`stage tables`: train and fill the paper's tables on any data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.commands import Overwrite
from stage.runtime.hardware import usable_cores
from stage.terminal import PlainConsole, echo

CORES_PER_JOB = 4


def tables(
    config: Annotated[Path, typer.Option(help="The configuration of full STAGE, as for `stage train`.")],
    test: Annotated[Path, typer.Option(help="The questions to score: a data folder, or FOLDER/SPLIT.")],
    table: Annotated[
        list[str] | None,
        typer.Argument(metavar="TABLE", help="3, 4, 5, 6, supervision or sitcom; by default all."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for runs and tables.")] = Path("runs/tables"),
    seeds: Annotated[int, typer.Option(min=1, help="Runs per row, each with its own seed.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Parallel runs; they share the cores.")] = max(
        1, usable_cores() // CORES_PER_JOB
    ),
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Train only this row; can be repeated. Tables still show all finished runs."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting in all rows: key=value, such as training.epochs=3."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train and score the systems of the paper's tables.

    Writes each table with means and standard deviations over seeds, next to the
    paper's figures. Finished runs are skipped and interrupted ones resumed. A
    run that fails is reported; the others continue.
    """
    from stage.commands.progress import progress_bar
    from stage.experiments.jobs.runs import unfinished_runs
    from stage.experiments.jobs.scheduler import Failure, run_all
    from stage.experiments.systems import systems_named
    from stage.experiments.tables.paper import tables_named
    from stage.experiments.tables.publish import check_outputs, default_tables, publish, row_names
    from stage.lock import locked

    selected = tables_named(table or default_tables(test))
    systems = systems_named(rows) if rows else row_names(selected)
    check_outputs(selected, out, overwrite)
    failures: list[Failure] = []
    with locked(out, "stage tables"):
        runs = unfinished_runs(config, test, out, systems, seeds, set_ or ())
        try:
            with progress_bar("Runs") as progress:
                failures = run_all(runs, jobs, progress)
        finally:  # finished runs are shown even if the command is interrupted
            publish(selected, out, PlainConsole())
    echo(f"{out}: tables, plots and audits")
    for failure in failures:
        echo(f"stage: {failure.run.name} failed: {failure.reason}; see {failure.run.folder}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)
