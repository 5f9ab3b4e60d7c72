"""`stage sitcom`: drawn episodes with subtitles, questions and truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stage.runtime.hardware import usable_cores

Split = Literal["train", "val", "test"]


def sitcom(
    folder: Annotated[Path, typer.Argument(help="Folder to write; one that is partly written is completed.")],
    split: Annotated[
        Split | None, typer.Option(help="Splits never share an episode; train unless given.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="How many episodes; as published unless given.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=99, help="Another seed gives other episodes; as published unless given."),
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(min=1, max=96, help="Questions an episode, at most; as published unless given."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once.")] = usable_cores(),
    verify: Annotated[
        bool, typer.Option("--verify", help="Write nothing; check that FOLDER holds a published split.")
    ] = False,
) -> None:
    """Write a published split of the sitcom (or other episodes): films, questions and truth in TVQA+'s formats."""
    from stage.errors import InputError
    from stage.sitcom.benchmark.splits import SEED, SPLITS
    from stage.sitcom.episodes import write_sitcom

    if verify:
        if (episodes, seed, questions) != (None, None, None):
            raise InputError("--verify checks a split as it was published; leave out all but --split")
        _verify(folder, split, workers)
        return
    split = split or "train"
    episodes = episodes or SPLITS[split].episodes
    seed = SEED if seed is None else seed
    write_sitcom(folder, split, episodes, seed, workers, questions or SPLITS[split].questions)
    print(f"{episodes} episodes with questions in {folder}")


def _verify(folder: Path, split: Split | None, workers: int) -> None:
    from stage.commands.progress import progress_bar
    from stage.sitcom.benchmark.splits import VERSION, published
    from stage.sitcom.benchmark.verification import differences, split_in

    wanted = published(split) if split else split_in(folder)
    with progress_bar("Checking episodes") as progress:
        found = list(differences(folder, wanted, workers, progress))
    which = f"split {wanted.split} of the sitcom, version {VERSION}"
    for difference in found:
        print(difference)
    if found:
        print(f"{folder} is not {which}: {len(found)} difference{'s' if len(found) > 1 else ''}")
        raise typer.Exit(1)
    print(f"{folder} is {which}: {len(wanted.digests)} episodes, each with its film, questions and truth")
