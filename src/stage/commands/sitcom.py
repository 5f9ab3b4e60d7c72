"""`stage sitcom`: draw episodes with subtitles, questions and ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stage.runtime.hardware import usable_cores
from stage.terminal import echo

Split = Literal["train", "val", "test"]


def sitcom(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder to write; one that is partly written is completed."),
    ],
    split: Annotated[
        Split | None, typer.Option(help="Splits never share an episode; train by default.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Number of episodes; by default as published.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=99, help="Random seed of the episodes; by default as published.")
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(min=1, max=96, help="Questions per episode, at most; by default as published."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes.")] = usable_cores(),
    verify: Annotated[
        bool, typer.Option("--verify", help="Write nothing; check that FOLDER is a published split.")
    ] = False,
) -> None:
    """Draw episodes of the sitcom, a synthetic data set.

    Writes a published split, or other episodes: films, subtitles, questions and
    ground truth in TVQA+'s formats.
    """
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.sitcom.benchmark.splits import SEED, SPLITS
    from stage.sitcom.episodes import write_sitcom
    from stage.wording import counted

    if verify:
        if (episodes, seed, questions) != (None, None, None):
            raise InputError(
                "--verify checks a split as published; leave out --episodes, --seed and --questions"
            )
        _verify(folder, split, workers)
        return
    split = split or "train"
    episodes = episodes or SPLITS[split].episodes
    seed = SEED if seed is None else seed
    with progress_bar("Drawing episodes") as progress:
        write_sitcom(folder, split, episodes, seed, workers, questions or SPLITS[split].questions, progress)
    echo(f"{folder}: {counted(episodes, 'episode')} with questions")


def _verify(folder: Path, split: Split | None, workers: int) -> None:
    from stage.commands.progress import progress_bar
    from stage.sitcom.benchmark.splits import VERSION, published
    from stage.sitcom.benchmark.verification import differences, split_in
    from stage.wording import counted

    expected = published(split) if split else split_in(folder)
    with progress_bar("Checking episodes") as progress:
        found = list(differences(folder, expected, workers, progress))
    name = f"split {expected.split} of the sitcom, version {VERSION}"
    for difference in found:
        echo(difference)
    if found:
        echo(f"{folder} is not {name}: {counted(len(found), 'difference')}")
        raise typer.Exit(1)
    echo(
        f"{folder} is {name}: {counted(len(expected.digests), 'episode')}, "
        "each with its film, questions and ground truth"
    )
