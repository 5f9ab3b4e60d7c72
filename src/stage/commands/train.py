"""`stage train`: a configuration to a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: key=value, such as training.epochs=3."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Go on from the last finished epoch of an earlier run in the same output folder."),
    ] = True,
) -> None:
    """Train STAGE; the model of the epoch that is kept is left in OUTPUT/model."""
    from stage.training.config import load_config

    run = load_config(config, set_ or ())

    from stage.metrics import print_scores
    from stage.training.loop import train as run_training

    _, scores = run_training(run, resume=resume)
    print_scores(scores)
    print(f"the model is in {run.output / 'model'}")
