"""`stage data`: what lies in a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stage.annotation.issues import Issues
    from stage.types import Question

app = typer.Typer(help="Look at, check and convert data sets.", no_args_is_help=True)


@app.command()
def stats(
    annotation: Annotated[Path, typer.Argument(help="Questions, as in TVQA+ (.json[.gz]) or TVQA (.jsonl).")],
    plots: Annotated[
        Path | None,
        typer.Option(help="Folder for two plots: boxes by category, and box areas and span lengths."),
    ] = None,
) -> None:
    """Print how many questions, clips, frames and boxes there are, and of which kinds."""
    from stage.annotation.questions import read_questions
    from stage.annotation.statistics import draw_statistics, print_statistics, statistics

    found = statistics(read_questions(annotation))
    print_statistics(found, str(annotation))
    if plots:
        for path in draw_statistics(found, plots):
            print(path)


@app.command()
def check(
    place: Annotated[
        Path, typer.Argument(help="A folder of released features, a data folder, or an annotation file.")
    ],
    closely: Annotated[bool, typer.Option(help="Also compare boxes with features, clip by clip.")] = True,
) -> None:
    """List everything irregular: which question, which file."""
    from stage.annotation.checking import check_annotation
    from stage.data.layouts import folder

    if place.is_file() or folder.holds(place):
        file = place if place.is_file() else place / folder.QUESTIONS
        _tell(str(file), *check_annotation(file))
    else:
        _check_release(place, closely)


def _check_release(root: Path, closely: bool) -> None:
    from stage.annotation.checking import check_annotation
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.release.features import ReleasedFeatures, usable
    from stage.release.files import ReleaseFiles, questions_file, splits

    names = splits(root)
    if not names:
        raise InputError(f"{root}: is no annotation, and has no questions in our layout or the released one")
    source = ReleasedFeatures(ReleaseFiles.find(root))
    for split in names:
        path = questions_file(root, split)
        readable, findings = check_annotation(path)
        questions = usable(readable, source, path, findings)
        if closely:
            with progress_bar(f"Clips of {split}") as progress:
                clips = sorted({q.clip for q in questions})
                for done, name in enumerate(clips):
                    progress(done, len(clips), name)
                    source.look_closely(source.clips[name], findings)
        _tell(split, questions, findings)


def _tell(what: str, questions: Sequence[Question], findings: Issues) -> None:
    for kind, places in findings.found.items():
        for where in places:
            print(f"{kind}: {where}")
    print(
        f"{what}: {len(questions):,} questions can be used{'' if findings.found else '; nothing is irregular'}"
    )
    for line in findings.summary():
        print(f"  {line}")


@app.command()
def pack(
    root: Annotated[Path, typer.Argument(help="A folder of released features.")],
    out: Annotated[Path | None, typer.Argument(help="Folder to write; ROOT/packed unless given.")] = None,
    regions: Annotated[int, typer.Option(min=1, help="Regions of a frame that are kept.")] = 25,
) -> None:
    """Convert released features to float16 and what is read of them; a stopped run goes on."""
    from stage.commands.progress import progress_bar
    from stage.release.layout import PACKED_FOLDER
    from stage.release.packing import pack_release

    target = out or root / PACKED_FOLDER
    before = size_of(root, without=target)
    with progress_bar("Packing") as progress:
        findings = pack_release(root, target, regions, progress)
    for line in findings.summary():
        print(line)
    print(f"{before / 1e6:,.0f} MB before, {size_of(target) / 1e6:,.0f} MB in {target}")


def size_of(folder: Path, without: Path | None = None) -> int:
    """Bytes of the files below a folder, but for those below another."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if without is None or without not in path.parents)
