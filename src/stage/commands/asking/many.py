"""Asking a film the questions of a file"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from stage.commands.asking.printing import print_evidence
from stage.errors import InputError
from stage.inference.answerer import OpenFilm, Setup
from stage.inference.answers import Answers, Failed, ask_each, is_right, span_iou
from stage.inference.asked import Asked, as_read
from stage.inference.journal import Journal
from stage.inference.resumed import KeptAnswers, json_line, kept_before, work_of_film
from stage.io import OutputKind, starts_with, write_text
from stage.page.answered_by import who_answered
from stage.terminal import PlainConsole, echo
from stage.types import Evidence, Progress, Question
from stage.wording import counted

STANDARD_OUTPUT = Path("-")
ANSWERS_FILE = OutputKind(
    "a file of answers (JSON lines)",
    lambda path: starts_with(path, r'\s*\{"id": ?[^\n]*"(answer|error)": ?'),
)


def check_askable(questions: Sequence[Asked], *, freely: bool) -> None:
    """Raises InputError with the reason of the first question if none can be asked."""
    first: InputError | None = None
    for asked in questions:
        try:
            as_read(asked.question, freely=freely)
            return
        except InputError as error:
            first = first or error
    raise InputError(f"none of {counted(len(questions), 'question')} can be asked; the first: {first}")


def ask_many(
    film: OpenFilm,
    questions: Sequence[Asked],
    setup: Setup,
    *,
    lines: Path | None,
    progress: Progress,
) -> Answers:
    """Ask all questions, and write a line of JSON for each if a file is given.

    A file of lines is written when all are asked; until then every answer is kept next to it, so that the same
    command resumes. With lines on standard output each is printed as soon as it is there.
    """
    freely = film.answerer.answers_freely
    journal = None
    answer = film.ask_question
    if lines is not None and lines != STANDARD_OUTPUT:
        journal = Journal(lines, work_of_film(film, setup))
        kept = KeptAnswers(film, journal)
        answer = kept.ask
        if before := kept_before(journal, questions, freely=freely):
            kept_there = f"{journal.path}: {counted(before, 'answer')} from there, not asked again"
            echo(kept_there, file=sys.stderr)
    results: list[tuple[Asked, Evidence | Failed]] = []

    def within(done: int, total: int, item: str) -> None:
        progress(len(results), len(questions), f"questions; {done} of {total} {item}")

    def ask(question: Question) -> Evidence:
        return answer(question, progress=within)

    try:
        for done, (asked, found) in enumerate(ask_each(ask, questions, freely=freely), 1):
            results.append((asked, found))
            if lines == STANDARD_OUTPUT:
                echo(json.dumps(_line(asked, found)))
            progress(done, len(questions), "questions")
        answers = Answers.of(results)
        if lines is not None and journal is not None:
            write_text(lines, "".join(json.dumps(_line(asked, found)) + "\n" for asked, found in results))
            if not answers.failed:
                journal.remove()
    finally:
        if journal is not None:
            journal.close()
    return answers


def _line(asked: Asked, found: Evidence | Failed) -> dict[str, object]:
    if isinstance(found, Evidence):
        return dict(json_line(asked, found))
    return {"id": asked.id, "question": asked.question.text, "error": found.reason}


def print_answers(answers: Answers, questions: Sequence[Asked]) -> None:
    """Print each question with its answer, then who answered, and notes that hold for all of them once."""
    console = PlainConsole()
    common = set.intersection(*(set(evidence.notes) for evidence in answers)) if len(answers) else set()
    typed = {str(asked.id): asked for asked in questions}
    for id_, evidence in zip(answers.ids, answers, strict=True):
        asked = typed[str(id_)]
        console.print(f"{id_}: {asked.question.text}", soft_wrap=True)
        print_evidence(asked.shown(evidence), brief=True, without_notes=tuple(common), console=console)
    for by in dict.fromkeys(evidence.answered_by for evidence in answers if evidence.answered_by):
        console.print(who_answered(by), soft_wrap=True)
    for note in answers[0].notes if len(answers) else ():
        if note in common:
            console.print(f"note: {note}", style="yellow", soft_wrap=True)


def scored(answers: Iterable[Evidence]) -> str:
    """QA accuracy and mean span IoU where the truth is known; empty if it never is."""
    known = list(answers)
    verdicts = [right for evidence in known if (right := is_right(evidence)) is not None]
    overlaps = [iou for evidence in known if (iou := span_iou(evidence)) is not None]
    parts = []
    if verdicts:
        share = 100 * sum(verdicts) / len(verdicts)
        parts.append(
            f"{sum(verdicts):,} of {counted(len(verdicts), 'answer')} right (QA accuracy {share:.1f} %)"
        )
    if overlaps:
        parts.append(f"mean span IoU {fmean(overlaps):.3f} of {counted(len(overlaps), 'question')}")
    return "; ".join(parts)
