"""`stage detector`: train the packaged region detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo


def detector(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the weights and the model card.")],
    pictures: Annotated[int, typer.Option(min=8, help="Training images to draw.")] = 24_000,
    seed: Annotated[int, typer.Option(help="Random seed of images and weights.")] = 0,
) -> None:
    """Train the small region detector on drawn sitcom scenes."""
    from stage.commands.progress import progress_bar
    from stage.training.detector import check_replaceable, train_detector

    check_replaceable(out)
    with progress_bar("Training the detector") as progress:
        trained = train_detector(out, images=pictures, seed=seed, progress=progress)
    echo(f"{out}: detector {trained.name}; its scores are in {out / 'card.md'}")
