"""`stage sitcom`: drawn episodes with subtitles, questions and truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stage.processors import usable_cores

Split = Literal["train", "val", "test"]


def sitcom(
    out: Annotated[Path, typer.Argument(help="Folder to write; one that is partly written is completed.")],
    split: Annotated[Split, typer.Option(help="Splits never share an episode.")] = "train",
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed gives other episodes.")] = 0,
    questions: Annotated[int, typer.Option(min=1, max=60, help="Questions an episode, at most.")] = 12,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once.")] = usable_cores(),
) -> None:
    """Write episodes of the sitcom, their questions and the truth, in TVQA+'s formats."""
    from stage.sitcom.episodes import write_sitcom

    write_sitcom(out, split, episodes, seed, workers, questions)
    print(f"{episodes} episodes with questions in {out}")
