"""`stage ask`: answer questions about a film, with evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import NEGATIVE, Overwrite
from stage.commands.asking.options import Detector, ImageText, Model, Subtitles
from stage.inference.names import DEFAULT_ANSWERER
from stage.terminal import echo

if TYPE_CHECKING:
    from stage.inference.answerer import OpenFilm, Setup
    from stage.inference.asked import Asked

STANDARD_OUTPUT = Path("-")


def ask(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A film: any file with a video track.")],
    question: Annotated[str | None, typer.Option(help="The question.")] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            help="A candidate answer; repeat the option for each. Vision-language models also answer without any."
        ),
    ] = None,
    subtitles: Subtitles = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Ask all questions of this file: a list in TVQA+'s layout, JSON lines, or CSV with the columns "
            "question, answer1, answer2, ... and optionally id.",
        ),
    ] = None,
    model: Model = DEFAULT_ANSWERER,
    detector: Detector = None,
    image_text: ImageText = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write an evidence page to this file (.html).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print answer and evidence as JSON.")] = False,
    json_lines: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="With --questions: write a line of JSON for each question to this file; - is standard output.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Answer questions about a film, with evidence.

    Prints the probability of each candidate answer, the span of the film that
    shows the predicted one, the boxes of the people and objects that it
    mentions, and who answered and how often that one is right. On a terminal,
    without a question, the film is looked at once and questions are typed.
    """
    _check_options(question, answer, questions, json_lines, as_json)
    from stage.commands.asking.opening import open_with_progress
    from stage.commands.progress import progress_bar
    from stage.inference.answerer import Answerer, Setup
    from stage.inference.films import HEARD
    from stage.io import check_output

    inputs = [
        video,
        *([Path(subtitles)] if subtitles and subtitles != HEARD else []),
        *([questions] if questions else []),
    ]
    if report:
        from stage.page.render import EVIDENCE_PAGE

        check_output(report, EVIDENCE_PAGE, inputs, overwrite)
    if json_lines and json_lines != STANDARD_OUTPUT:
        from stage.commands.asking.many import ANSWERS_FILE

        check_output(json_lines, ANSWERS_FILE, inputs, overwrite)
    # Errors in the input are reported before a model is loaded.
    asked = _asked(question, answer or [])
    listed = _of_file(questions, video) if questions else []
    video_and_subtitles = open_with_progress(video, subtitles)
    setup = Setup(detector, image_text)
    answerer = Answerer.from_pretrained(model, detector=detector, image_text=image_text)
    _check_askable(asked, listed, freely=answerer.answers_freely)
    with progress_bar("Processing the film") as progress:
        film = answerer.look_at(video_and_subtitles, progress=progress)
    if listed:
        _ask_listed(film, listed, setup, json_lines, report)
    elif asked:
        _ask_one(film, asked, as_json, report)
    else:
        _ask_typed(film, as_json, report)


def _check_options(
    question: str | None,
    answer: list[str] | None,
    questions: Path | None,
    json_lines: Path | None,
    as_json: bool,
) -> None:
    """Raises InputError if options contradict each other, or nothing is asked."""
    from stage.errors import InputError

    if questions and (question is not None or answer):
        raise InputError("--questions: asks what is in the file; leave --question and --answer out")
    if questions and as_json:
        raise InputError("--json: prints one answer; give --json-lines - to print a line for each question")
    if json_lines and not questions:
        raise InputError("--json-lines: writes the answers to a file of questions; give one with --questions")
    if answer and question is None:
        raise InputError("--answer: there is no question; give one with --question")
    if question is None and not questions and not sys.stdin.isatty():
        raise InputError(
            "there is no question; give one with --question and --answer for each candidate, or a file with "
            "--questions"
        )


def _asked(question: str | None, answers: list[str]) -> Asked | None:
    """The question that was given. Raises InputError if nobody could answer it."""
    from stage.inference.asked import Asked, as_read
    from stage.types import Question

    if question is None:
        return None
    asked = Asked(0, Question(0, "", question, tuple(answers)))
    as_read(asked.question, freely=True)
    return asked


def _of_file(path: Path, video: Path) -> list[Asked]:
    """The questions of a file about a film, and what has to be said of it on standard error."""
    from stage.inference.question_files import of_film, read_asked
    from stage.io import check_inputs
    from stage.media.clip_names import clip_name, composed

    check_inputs([path])
    all_questions, notes = read_asked(path)
    questions, more = of_film(all_questions, (clip_name(video), composed(video.name)), path)
    for note in (*notes, *more):
        echo(f"note: {note}", file=sys.stderr)
    return questions


def _check_askable(asked: Asked | None, listed: list[Asked], *, freely: bool) -> None:
    """Raises InputError if nothing can be asked, now that it is known who answers."""
    if asked:
        from stage.inference.asked import as_read

        as_read(asked.question, freely=freely)
    if listed:
        from stage.commands.asking.many import check_askable

        check_askable(listed, freely=freely)


def _ask_one(film: OpenFilm, asked: Asked, as_json: bool, report: Path | None) -> None:
    from stage.commands.asking.printing import print_evidence
    from stage.commands.progress import progress_bar
    from stage.inference.asked import as_read
    from stage.inference.evidence_json import to_json

    question = as_read(asked.question, freely=film.answerer.answers_freely)
    with progress_bar("Asking") as progress:
        evidence = film.ask_question(question, progress=progress)
    # Printed as it was typed: the model reads it tokenised, without dashes and brackets.
    typed = asked.shown(evidence)
    if as_json:
        echo(json.dumps(to_json(typed)))
    else:
        print_evidence(typed)
    if report:  # last, so that a page that can't be written doesn't cost the answer
        from stage.commands.asking.pages import write_film_page

        write_film_page(report, film, [evidence])
        echo(f"evidence page: {report}", file=sys.stderr if as_json else sys.stdout)


def _ask_listed(
    film: OpenFilm, listed: list[Asked], setup: Setup, lines: Path | None, report: Path | None
) -> None:
    from stage.commands.asking.many import ask_many, print_answers, scored
    from stage.commands.progress import progress_bar
    from stage.wording import counted

    with progress_bar("Asking") as progress:
        answers = ask_many(film, listed, setup, lines=lines, progress=progress)
    to_terminal = sys.stderr if lines == STANDARD_OUTPUT else sys.stdout
    if lines != STANDARD_OUTPUT:
        print_answers(answers, listed)
    if lines and lines != STANDARD_OUTPUT:
        echo(f"{lines}: {counted(len(listed), 'line')}")
    if score := scored(answers):
        echo(score, file=to_terminal)
    for failed in answers.failed:
        echo(f"stage: question {failed.id}: {' '.join(failed.reason.split())}", file=sys.stderr)
    if report and len(answers):
        from stage.commands.asking.pages import write_film_page

        write_film_page(report, film, answers)
        echo(f"evidence page: {report}", file=to_terminal)
    if answers.failed:
        raise typer.Exit(NEGATIVE)


def _ask_typed(film: OpenFilm, as_json: bool, report: Path | None) -> None:
    from stage.commands.asking.session import ask_in_session

    answered = ask_in_session(film, as_json=as_json)
    if report and answered:
        from stage.commands.asking.pages import write_film_page

        write_film_page(report, film, answered)
        echo(f"evidence page: {report}", file=sys.stderr if as_json else sys.stdout)
