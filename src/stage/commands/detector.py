"""`stage detector`: train the packaged region detector anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def detector(
    out: Annotated[Path, typer.Argument(help="Folder for weights and card.")],
    pictures: Annotated[int, typer.Option(min=8, help="Drawn pictures to train on.")] = 24_000,
    seed: Annotated[int, typer.Option(help="Seed of pictures and weights.")] = 0,
) -> None:
    """Train the small region detector on drawn pictures of the sitcom."""
    from stage.training.detector import train_detector

    trained = train_detector(out, pictures=pictures, seed=seed)
    print(f"{trained.name} is in {out}; see {out / 'card.md'}")
