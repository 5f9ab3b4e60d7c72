"""`stage data`: statistics, checks and conversion of data sets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import NEGATIVE, Overwrite
from stage.terminal import echo

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
    from stage.annotation.checking import released_size
    from stage.annotation.questions import read_questions
    from stage.annotation.statistics import (
        PLOT,
        PLOTS,
        draw_statistics,
        print_statistics,
        statistics,
    )
    from stage.data.films import sizes_beside
    from stage.io import check_output
    from stage.release.files import is_questions_file

    if plots:
        for name in PLOTS:
            check_output(plots / name, PLOT, [annotation], overwrite)
    questions = read_questions(annotation)
    released = is_questions_file(annotation)
    size_of = released_size if released else sizes_beside(annotation, {q.clip for q in questions})
    counts = statistics(questions, size_of)
    paths = draw_statistics(counts, plots) if plots else []
    print_statistics(counts, str(annotation))
    for path in paths:
        echo(path)


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="An annotation file, a data folder, or a folder of the released features."
        ),
    ],
    closely: Annotated[
        bool, typer.Option(help="Also read all released boxes and features, as packing does (slow).")
    ] = True,
) -> None:
    """List all issues of a data set by kind, each with its place and what to do.

    Of a data folder, questions, subtitles, lengths, films and features are held
    against one another; of an annotation file alone, times and sizes can't be
    checked. Exit code 1: something is wrong that makes results wrong, or that
    other commands refuse ("error" in the summary).
    """
    from stage.annotation.checking import check_annotation, released_size
    from stage.commands.progress import progress_bar
    from stage.data.folder_checks import check_folder
    from stage.data.layouts import folder
    from stage.release.files import is_questions_file

    if path.is_file():
        released = is_questions_file(path)
        found = check_annotation(path, released_size) if released else check_annotation(path, clips={})
        _end_with([_print_issues(str(path), *found)])
    elif folder.matches(path):
        with progress_bar("Checking") as progress:
            questions, issues = check_folder(path, progress)
        _end_with([_print_issues(str(path), questions, issues)])
    else:
        _check_release(path, closely)


def _end_with(results: Sequence[bool]) -> None:
    """Exit with code 1 if not all are right."""
    if not all(results):
        raise typer.Exit(NEGATIVE)


def _check_release(root: Path, closely: bool) -> None:
    from stage.annotation.checking import check_annotation, released_size
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.release.checking import check_features
    from stage.release.features import ReleasedFeatures, with_features
    from stage.release.files import ReleaseFiles, questions_file, splits

    if not root.exists():
        raise InputError(f"{root}: no such file or folder; check the path")
    names = splits(root)
    if not names:
        raise InputError(
            f"{root}: is no annotation file, no data folder (it has no questions.json), and no folder of the "
            "released features; check the path"
        )
    source = ReleasedFeatures(ReleaseFiles.find(root))
    results = []
    for split in names:
        path = questions_file(root, split)
        readable, issues = check_annotation(path, released_size)
        questions = with_features(readable, source, path, issues)
        if closely:
            with progress_bar(f"Clips of {split}") as progress:
                check_features(source, questions, issues, progress)
        results.append(_print_issues(split, questions, issues))
    _end_with(results)


def _print_issues(name: str, usable_questions: Sequence[Question], issues: Issues) -> bool:
    """Print all issues by kind, then their counts. Returns whether none of them is an error."""
    from stage.wording import counted

    for kind, locations in issues.by_kind.items():
        for location in locations:
            echo(f"{kind}: {location}")
        if fix := issues.fixes.get(kind):
            echo(f"  to do: {fix}")
    usable = counted(len(usable_questions), "usable question")
    echo(f"{name}: {usable}{'' if issues.by_kind else ', no issues'}")
    for kind, line in zip(issues.by_kind, issues.summary(), strict=True):
        echo(f"  {'error: ' if kind in issues.errors else ''}{line}")
    return not issues.errors


@app.command()
def make(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Data folders, each with its films in episodes/.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files whose entries differ from the films.")
    ] = False,
) -> None:
    """Make frames.json and subtitles.json from the films of data folders.

    Lengths are those of the films. Subtitles are read from the .srt, .vtt, .ass
    or .ssa file that is named as the film, or from the film's own track. A film
    that can't be read is left out, the others are written, and the exit code is
    1.
    """
    from stage.commands.progress import progress_bar
    from stage.data.clip_files import make_clip_files
    from stage.wording import counted

    complete = []
    for folder in folders:
        with progress_bar(f"Films of {folder}") as progress:
            made = make_clip_files(folder, progress, overwrite=overwrite)
        for note in made.notes:
            echo(note, file=sys.stderr)
        for reason in made.unreadable:
            echo(f"left out: {reason}", file=sys.stderr)
        echo(f"{folder}: frames.json and subtitles.json of {counted(len(made.frames), 'clip')}")
        complete.append(not made.unreadable)
    _end_with(complete)


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
        echo(line)
    echo(f"{target}: {size_of(target) / 1e6:,.0f} MB, packed from {before / 1e6:,.0f} MB")


def size_of(folder: Path, without: Path | None = None) -> int:
    """The size of the files below a folder in bytes; those below `without` don't count."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if without is None or without not in path.parents)
