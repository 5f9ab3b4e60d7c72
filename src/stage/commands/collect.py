"""`stage collect`: annotate spans and boxes, as TVQA+ was annotated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import Overwrite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stage.collecting.merging import Agreement
    from stage.types import Sentence

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
    print(f"{out}: {counted(counts.total(), 'noun')}, {len(counts):,} distinct")
    if len(counts) > REVIEWED_NOUNS:
        print(f"the {REVIEWED_NOUNS} most frequent make up {share_of_most_frequent(counts):.1%} of all")
    print(f"{counted(sum(not noun.visual for noun in nouns.values()), 'noun')} judged not visual")


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
    from stage.collecting.nouns import read_nouns, read_tokenised_questions
    from stage.collecting.tagging import load_tagger
    from stage.collecting.task import TASK_PAGE, clip_name, make_task, open_clip, render_task, shown_frames
    from stage.errors import InputError
    from stage.io import check_output
    from stage.page import write_page
    from stage.wording import counted

    single = out.suffix.lower() == ".html"
    if single and len(films) > 1:
        raise InputError(f"{out}: a page is for one film; give a folder for the pages of {len(films)} films")
    all_questions, judged = read_tokenised_questions(questions), read_nouns(nouns) if nouns else {}
    known = {question.clip for question in all_questions}
    wanted = [film for film in films if clip_name(film) in known]
    if not wanted:
        raise InputError(
            f"{questions}: no question is about {clip_name(films[0])}; name each film after its questions' vid_name"
        )
    pages = {film: out if single else out / f"{clip_name(film)}.html" for film in wanted}
    inputs = [questions, *films, *([nouns] if nouns else []), *([subtitles] if subtitles else [])]
    for page in pages.values():
        check_output(page, TASK_PAGE, inputs, overwrite)
    for film in films:
        if film not in wanted:
            print(f"{film}: skipped, no question is about it")
    subtitles_of_clips, loaded_tagger = _read_subtitles(subtitles, len(films)), load_tagger(tagger)
    for film in wanted:
        clip, images = open_clip(film, subtitles_of_clips)
        made = make_task(clip, images, all_questions, loaded_tagger, judged)
        page = pages[film]
        write_page(page, render_task(made))
        shown = len(shown_frames(clip.frame_count))
        print(f"{page}: {counted(len(made.questions), 'question')}, {counted(shown, 'frame')}")
        if not clip.sentences:
            print("  no subtitles: the page shows no dialogue; give subtitles with --subtitles")
        if clip.frame_count > shown_frames(clip.frame_count)[-1] + 3:
            print(f"  {clip.duration:.0f} s long: only the first {shown} s, which STAGE reads, are shown")


def _read_subtitles(given: Path | None, films: int) -> Mapping[str, tuple[Sentence, ...]] | Path | None:
    from stage.annotation.clips import read_subtitles
    from stage.errors import InputError

    if given is None or given.suffix not in (".json", ".gz"):
        if given is not None and films > 1:
            raise InputError(f"{given}: has the subtitles of one film; give subtitles.json for {films} films")
        return given
    return read_subtitles(given)


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
    result = merged(all_questions, submissions, rest)
    write_questions(out, result.questions)
    for line in result.issues.summary():
        print(line)
    _print_agreement(result.agreements)
    boxes = sum(len(b) for q in result.questions for b in q.boxes.values())
    frames = sum(len(q.boxes) for q in result.questions)
    print(
        f"{out}: {len(result.questions):,} of {counted(len(all_questions), 'question')}, "
        f"{counted(boxes, 'box', 'boxes')} in {counted(frames, 'frame')}"
    )


def _print_agreement(agreements: Sequence[Agreement]) -> None:
    for pair in agreements:
        boxes = ", ".join(f"{label} {iou:.2f}" for label, iou in pair.boxes.items())
        print(
            f"question {pair.qid}, {pair.files[0].name} and {pair.files[1].name}: IoU of spans {pair.span:.2f}, "
            f"of boxes {boxes or 'none'}"
        )
    if agreements:
        spans = sum(pair.span for pair in agreements) / len(agreements)
        values = [iou for pair in agreements for iou in pair.boxes.values()]
        boxes = f", of boxes {sum(values) / len(values):.2f}" if values else ""
        print(f"mean: IoU of spans {spans:.2f}{boxes}; the first file given counts")
