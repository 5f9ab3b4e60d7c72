"""`stage data`: statistics, checks and conversion of data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import Overwrite

if TYPE_CHECKING:
    from stage.annotation.issues import Issues
    from stage.types import Question

app = typer.Typer(help="Describe, check and convert data sets.", no_args_is_help=True)


@app.command()
def stats(
    annotation: Annotated[
        Path,
        typer.Argument(
            metavar="ANNOTATION", help="Questions in the format of TVQA+ (.json[.gz]) or TVQA (.jsonl)."
        ),
    ],
    plots: Annotated[
        Path | None,
        typer.Option(help="Folder for two plots: boxes by category; box areas and span lengths."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Count questions, clips, annotated frames and boxes, by kind."""
    from stage.annotation.questions import read_questions
    from stage.annotation.statistics import (
        PLOT,
        PLOTS,
        draw_statistics,
        print_statistics,
        statistics,
    )
    from stage.io import check_output

    if plots:
        for name in PLOTS:
            check_output(plots / name, PLOT, [annotation], overwrite)
    counts = statistics(read_questions(annotation))
    print_statistics(counts, str(annotation))
    if plots:
        for path in draw_statistics(counts, plots):
            print(path)


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="An annotation file, a data folder, or a folder of the released features."
        ),
    ],
    closely: Annotated[
        bool, typer.Option(help="Also compare released boxes and features, clip by clip (slow).")
    ] = True,
) -> None:
    """List all issues of a data set, each with its question or file."""
    from stage.annotation.checking import check_annotation
    from stage.data.layouts import folder

    if path.is_file() or folder.matches(path):
        file = path if path.is_file() else path / folder.QUESTIONS
        _print_issues(str(file), *check_annotation(file))
    else:
        _check_release(path, closely)


def _check_release(root: Path, closely: bool) -> None:
    from stage.annotation.checking import check_annotation
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.release.features import ReleasedFeatures, with_features
    from stage.release.files import ReleaseFiles, questions_file, splits

    names = splits(root)
    if not names:
        raise InputError(
            f"{root}: is no annotation file, no data folder, and no folder of the released features"
        )
    source = ReleasedFeatures(ReleaseFiles.find(root))
    for split in names:
        path = questions_file(root, split)
        readable, issues = check_annotation(path)
        questions = with_features(readable, source, path, issues)
        if closely:
            with progress_bar(f"Clips of {split}") as progress:
                clips = sorted({q.clip for q in questions})
                for done, name in enumerate(clips):
                    progress(done, len(clips), name)
                    source.check_region_rows(source.clips[name], issues)
        _print_issues(split, questions, issues)


def _print_issues(name: str, usable_questions: Sequence[Question], issues: Issues) -> None:
    from stage.wording import counted

    for kind, locations in issues.by_kind.items():
        for location in locations:
            print(f"{kind}: {location}")
    usable = counted(len(usable_questions), "usable question")
    print(f"{name}: {usable}{'' if issues.by_kind else ', no issues'}")
    for line in issues.summary():
        print(f"  {line}")


@app.command()
def pack(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="A folder of the released features.")],
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Folder to write; ROOT/packed by default.")
    ] = None,
    regions: Annotated[int, typer.Option(min=1, help="Regions to keep per frame.")] = 25,
) -> None:
    """Convert the released features to a compact data folder.

    Keeps the frames and regions that are read, in float16. An interrupted run
    is resumed.
    """
    from stage.commands.progress import progress_bar
    from stage.release.layout import PACKED_FOLDER
    from stage.release.packing import pack_release

    target = out or root / PACKED_FOLDER
    before = size_of(root, without=target)
    with progress_bar("Packing") as progress:
        issues = pack_release(root, target, regions, progress)
    for line in issues.summary():
        print(line)
    print(f"{target}: {size_of(target) / 1e6:,.0f} MB, packed from {before / 1e6:,.0f} MB")


def size_of(folder: Path, without: Path | None = None) -> int:
    """The size of the files below a folder in bytes; those below `without` don't count."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if without is None or without not in path.parents)
