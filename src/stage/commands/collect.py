"""`stage collect`: annotate spans and boxes, as TVQA+ was annotated."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import Overwrite
from stage.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stage.collecting.merging import Agreement
    from stage.types import Question

SHOWN_NAMES = 5
"""Of what is left out; the rest is counted."""

app = typer.Typer(help="Annotate questions about films with spans and boxes.", no_args_is_help=True)

Questions = Annotated[
    Path,
    typer.Argument(
        metavar="QUESTIONS", help="Questions in the format of TVQA+ (.json[.gz]) or TVQA (.jsonl)."
    ),
]
TaggerName = Annotated[
    str,
    typer.Option(
        "--tagger",
        help="Part-of-speech tagger: hanta, or a transformers token classifier (folder or hub name).",
    ),
]


@app.command()
def nouns(
    questions: Questions,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Table to write (.csv); judgements in an existing one are kept."),
    ],
    tagger: TaggerName = "hanta",
    overwrite: Overwrite = False,
) -> None:
    """List the nouns of the questions, to be judged visual or not.

    Nouns are taken from questions and right answers. In the column `visual` of
    the table, write `no` for those that can't be seen: `stage collect task
    --nouns` asks for no boxes of them.
    """
    from stage.collecting.nouns import (
        NOUN_TABLE,
        REVIEWED_NOUNS,
        count_nouns,
        merge_judgements,
        read_nouns,
        read_tokenised_questions,
        share_of_most_frequent,
        write_nouns,
    )
    from stage.collecting.tagging import load_tagger
    from stage.io import check_output
    from stage.wording import counted

    check_output(out, NOUN_TABLE, [questions], overwrite)
    judged = read_nouns(out) if out.exists() and NOUN_TABLE.matches(out) else {}
    counts = count_nouns(read_tokenised_questions(questions), load_tagger(tagger))
    nouns = merge_judgements(counts, judged)
    write_nouns(out, nouns)
    echo(f"{out}: {counted(counts.total(), 'noun')}, {len(counts):,} distinct")
    if len(counts) > REVIEWED_NOUNS:
        echo(f"the {REVIEWED_NOUNS} most frequent make up {share_of_most_frequent(counts):.1%} of all")
    echo(f"{counted(sum(not noun.visual for noun in nouns.values()), 'noun')} judged not visual")


@app.command()
def task(
    questions: Questions,
    films: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILM", help="Films named after their clips, or folders of frames (3 per second)."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Page to write (.html), or a folder for one page per film.")
    ],
    nouns: Annotated[
        Path | None,
        typer.Option(help="Table of `stage collect nouns`; no boxes are asked for nouns judged `no`."),
    ] = None,
    subtitles: Annotated[
        Path | None,
        typer.Option(
            help="subtitles.json, or the subtitle file of a single film; by default each film's own track."
        ),
    ] = None,
    tagger: TaggerName = "hanta",
    overwrite: Overwrite = False,
) -> None:
    """Write the annotation pages, one per film.

    On a page, an annotator refines the span of each question and draws boxes
    around the people and objects that question and right answer mention.
    """
    from stage.collecting.films import films_by_clip, open_clip, read_given_subtitles
    from stage.collecting.nouns import read_nouns, read_tokenised_questions
    from stage.collecting.tagging import load_tagger
    from stage.collecting.task import TASK_PAGE, make_task, render_task
    from stage.errors import InputError
    from stage.io import check_output
    from stage.page import write_page
    from stage.wording import counted

    single = out.suffix.lower() == ".html"
    if single and len(films) > 1:
        raise InputError(f"{out}: a page is for one film; give a folder for the pages of {len(films)} films")
    all_questions, judged = read_tokenised_questions(questions), read_nouns(nouns) if nouns else {}
    by_clip = films_by_clip(films)
    known = {question.clip for question in all_questions}
    wanted = {clip: film for clip, film in by_clip.items() if clip in known}
    if not wanted:
        raise InputError(
            f"{questions}: no question is about {next(iter(by_clip))}; name each film after its questions' vid_name"
        )
    pages = {clip: out if single else out / f"{clip}.html" for clip in wanted}
    inputs = [questions, *films, *([nouns] if nouns else []), *([subtitles] if subtitles else [])]
    for page in pages.values():
        check_output(page, TASK_PAGE, inputs, overwrite)
    subtitles_of_clips, loaded_tagger = read_given_subtitles(subtitles, len(films)), load_tagger(tagger)
    for clip, film in wanted.items():
        made = make_task(open_clip(film, subtitles_of_clips), all_questions, loaded_tagger, judged)
        html = render_task(made)
        write_page(pages[clip], html)
        frames, megabytes = counted(len(made.opened.images), "frame"), len(html) / 1e6
        echo(f"{pages[clip]}: {counted(len(made.questions), 'question')}, {frames}, {megabytes:.1f} MB")
        for note in made.notes:
            echo(f"{film}: {note}", file=sys.stderr)
    for line in _left_out(all_questions, by_clip):
        echo(line, file=sys.stderr)


def _left_out(questions: Sequence[Question], films: Mapping[str, Path]) -> Iterator[str]:
    """Films without questions, and questions without a film, each counted: either may be a mistyped name."""
    from stage.wording import counted

    asked = Counter(question.clip for question in questions)
    unasked = [film for clip, film in films.items() if clip not in asked]
    missing = [clip for clip in asked if clip not in films]
    if unasked:
        count = counted(len(unasked), "film")
        yield f"no page for {count} that no question is about: {_listed(map(str, unasked))}"
    if missing:
        lost = counted(sum(asked[clip] for clip in missing), "question")
        yield f"no page for {lost} about {counted(len(missing), 'clip')} without a film: {_listed(missing)}"


def _listed(names: Iterable[str]) -> str:
    """At most SHOWN_NAMES names."""
    every = list(names)
    more = len(every) - SHOWN_NAMES
    return ", ".join(every[:SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


@app.command()
def merge(
    questions: Questions,
    submissions: Annotated[
        list[Path],
        typer.Argument(
            metavar="SUBMISSION",
            help="Files saved by the pages; for a question in several of them, the first one counts.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Annotation to write, in TVQA+'s format (.json[.gz]).")
    ],
    rest: Annotated[
        bool, typer.Option("--rest", help="Also write the questions without a submission, unchanged.")
    ] = False,
    films: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the films: submissions are held against them, and boxes drawn on another size are scaled."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Merge what annotators saved, and report their agreement.

    Submissions are checked against the questions first.
    """
    from stage.annotation.questions import ANNOTATION_FILE, write_questions
    from stage.collecting.merging import merge as merged
    from stage.collecting.nouns import read_tokenised_questions
    from stage.io import check_output
    from stage.wording import counted

    check_output(out, ANNOTATION_FILE, [questions, *submissions], overwrite)
    all_questions = read_tokenised_questions(questions)
    sizes = None
    if films:
        from stage.data.films import measured_films  # which takes a second to import

        sizes = measured_films(films, {question.clip for question in all_questions}, None)
    result = merged(all_questions, submissions, rest, sizes)
    write_questions(out, result.questions)
    for line in result.issues.summary():
        echo(line)
    _print_agreement(result.agreements)
    boxes = sum(len(b) for q in result.questions for b in q.boxes.values())
    frames = sum(len(q.boxes) for q in result.questions)
    echo(
        f"{out}: {len(result.questions):,} of {counted(len(all_questions), 'question')}, "
        f"{counted(boxes, 'box', 'boxes')} in {counted(frames, 'frame')}"
    )
    if not films:
        measured = Counter(f"{clip.width} x {clip.height}" for clip in result.clips.values())
        each = ", ".join(f"{size} ({counted(count, 'clip')})" for size, count in measured.most_common())
        echo(f"boxes are in pixels of the pages' films: {each}; --films holds them against the films")


def _print_agreement(agreements: Sequence[Agreement]) -> None:
    for pair in agreements:
        boxes = ", ".join(f"{label} {iou:.2f}" for label, iou in pair.boxes.items())
        echo(
            f"question {pair.qid}, {pair.files[0].name} and {pair.files[1].name}: IoU of spans {pair.span:.2f}, "
            f"of boxes {boxes or 'none'}"
        )
    if agreements:
        spans = sum(pair.span for pair in agreements) / len(agreements)
        values = [iou for pair in agreements for iou in pair.boxes.values()]
        boxes = f", of boxes {sum(values) / len(values):.2f}" if values else ""
        echo(f"mean: IoU of spans {spans:.2f}{boxes}; the first file given counts")
