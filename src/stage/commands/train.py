"""`stage train`: train a model from a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting: key=value, such as training.epochs=3."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Resume from the last finished epoch of an earlier run in the same output folder."),
    ] = True,
) -> None:
    """Train STAGE or a baseline.

    Writes checkpoints and logs to the folder `output` of the configuration, and
    the finished model to its subfolder `model`.
    """
    from stage.training.config import load_config

    run = load_config(config, set_ or ())

    from stage.commands.progress import progress_bar
    from stage.metrics import print_scores
    from stage.training.loop import train as run_training

    with progress_bar("Training") as progress:
        _, scores = run_training(run, resume=resume, progress=progress)
    print_scores(scores)
    echo(f"{run.output / 'model'}: the trained model")
