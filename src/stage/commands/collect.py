"""`stage collect`: make a data set like TVQA+ of films and questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stage.collecting.merging import Agreement
    from stage.types import Sentence

app = typer.Typer(
    help="Collect spans and boxes for questions about films, as TVQA+ was collected.", no_args_is_help=True
)

Questions = Annotated[Path, typer.Argument(help="Questions, as in TVQA+ (.json[.gz]) or TVQA (.jsonl).")]
TaggerName = Annotated[
    str, typer.Option("--tagger", help="hanta, or a token classifier of transformers (folder or hub name).")
]


@app.command()
def nouns(
    questions: Questions,
    out: Annotated[
        Path, typer.Argument(help="Table to write (.csv); judgements in one that is there are kept.")
    ],
    tagger: TaggerName = "hanta",
) -> None:
    """List the nouns of questions and right answers; then write `no` beside those that can't be seen."""
    from stage.collecting.nouns import (
        LOOKED_AT,
        count_nouns,
        read_nouns,
        read_tokenised,
        share_of_most_frequent,
        with_counts,
        write_nouns,
    )
    from stage.collecting.tagging import load_tagger

    judged = read_nouns(out) if out.exists() else {}
    counts = count_nouns(read_tokenised(questions), load_tagger(tagger))
    found = with_counts(counts, judged)
    write_nouns(out, found)
    print(f"{counts.total():,} nouns, {len(counts):,} of them distinct, in {out}")
    if len(counts) > LOOKED_AT:
        print(f"the {LOOKED_AT} most frequent make up {share_of_most_frequent(counts):.1%} of all")
    print(f"{sum(not noun.visual for noun in found.values())} are judged not visual")


@app.command()
def task(
    questions: Questions,
    films: Annotated[
        list[Path],
        typer.Argument(metavar="FILM", help="Films named as their clips, or folders of frames (3 a second)."),
    ],
    out: Annotated[Path, typer.Argument(help="Page to write (.html), or a folder for a page of each film.")],
    nouns: Annotated[
        Path | None, typer.Option(help="Table of `stage collect nouns`; boxes aren't asked for its `no`.")
    ] = None,
    subtitles: Annotated[
        Path | None,
        typer.Option(
            help="subtitles.json, or one film's subtitle file; else each film's own track is shown."
        ),
    ] = None,
    tagger: TaggerName = "hanta",
) -> None:
    """Write pages on which a person refines the span of each question and draws the boxes of what it names."""
    from stage.collecting.nouns import read_nouns, read_tokenised
    from stage.collecting.tagging import load_tagger
    from stage.collecting.task import clip_name, make_task, open_clip, picture_frames, render_task
    from stage.errors import InputError
    from stage.page import write_page

    single = out.suffix.lower() == ".html"
    if single and len(films) > 1:
        raise InputError(f"{out}: a page is for one film; give a folder for {len(films)}")
    asked, judged = read_tokenised(questions), read_nouns(nouns) if nouns else {}
    known = {question.clip for question in asked}
    wanted = [film for film in films if clip_name(film) in known]
    if not wanted:
        raise InputError(
            f"{questions}: no question is about {clip_name(films[0])}; name films as vid_name does"
        )
    for film in films:
        if film not in wanted:
            print(f"{film}: no question is about it, so it has no page")
    said, found = _subtitles(subtitles, len(films)), load_tagger(tagger)
    for film in wanted:
        clip, pictures = open_clip(film, said)
        made = make_task(clip, pictures, asked, found, judged)
        page = out if single else out / f"{clip.name}.html"
        write_page(page, render_task(made))
        shown = len(picture_frames(clip.frame_count))
        print(f"{page}: {len(made.questions)} questions, {shown} pictures")
        if not clip.sentences:
            print("  no subtitles: what is said can't be read there; give them with --subtitles")
        if clip.frame_count > picture_frames(clip.frame_count)[-1] + 3:
            print(f"  {clip.duration:.0f} s long: the first {shown} s, which STAGE looks at, are shown")


def _subtitles(given: Path | None, films: int) -> Mapping[str, tuple[Sentence, ...]] | Path | None:
    from stage.annotation.clips import read_subtitles
    from stage.errors import InputError

    if given is None or given.suffix not in (".json", ".gz"):
        if given is not None and films > 1:
            raise InputError(f"{given}: is of one film; give subtitles.json for {films}")
        return given
    return read_subtitles(given)


@app.command()
def merge(
    questions: Questions,
    done: Annotated[
        list[Path],
        typer.Argument(metavar="DONE", help="What the pages saved; of several, the first counts."),
    ],
    out: Annotated[Path, typer.Argument(help="Annotation to write, in TVQA+'s layout (.json[.gz]).")],
    rest: Annotated[
        bool, typer.Option("--rest", help="Also write the questions that nobody did, as they are.")
    ] = False,
) -> None:
    """Check what was saved and make one annotation of it; tell how far people agree."""
    from stage.annotation.questions import write_questions
    from stage.collecting.merging import merge as merged
    from stage.collecting.nouns import read_tokenised
    from stage.errors import InputError
    from stage.io import read_json

    if out.exists() and not isinstance(read_json(out), list):
        raise InputError(f"{out}: is there, and is no annotation; name the file to write last")
    asked = read_tokenised(questions)
    result = merged(asked, done, rest)
    write_questions(out, result.questions)
    for line in result.findings.summary():
        print(line)
    _tell_agreement(result.agreements)
    boxes = sum(len(b) for q in result.questions for b in q.boxes.values())
    frames = sum(len(q.boxes) for q in result.questions)
    print(
        f"{out}: {len(result.questions):,} of {len(asked):,} questions, {boxes:,} boxes in {frames:,} frames"
    )


def _tell_agreement(agreements: Sequence[Agreement]) -> None:
    for two in agreements:
        boxes = ", ".join(f"{label} {iou:.2f}" for label, iou in two.boxes.items())
        print(
            f"question {two.qid}, {two.files[0].name} and {two.files[1].name}: IoU of spans {two.span:.2f}, "
            f"of boxes {boxes or 'none'}"
        )
    if agreements:
        spans = sum(two.span for two in agreements) / len(agreements)
        values = [iou for two in agreements for iou in two.boxes.values()]
        boxes = f", of boxes {sum(values) / len(values):.2f}" if values else ""
        print(f"on average: IoU of spans {spans:.2f}{boxes}; the first file given counts")
