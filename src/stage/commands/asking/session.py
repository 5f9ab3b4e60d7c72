"""A session on a terminal: a film is looked at once, and asked question after question"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from stage.commands.asking.printing import print_evidence
from stage.commands.progress import progress_bar
from stage.errors import InputError
from stage.inference.answerer import OpenFilm
from stage.inference.asked import Asked, as_read
from stage.inference.evidence_json import to_json
from stage.terminal import PlainConsole, echo
from stage.types import Evidence, Question

HOW_TO = "an empty line ends the answers, Ctrl-D the session"


def ask_in_session(film: OpenFilm, *, as_json: bool = False) -> list[Evidence]:
    """Ask what is typed on standard input until it ends. Prompts and errors go to standard error.

    Returns the answers.
    """
    with suppress(ImportError):  # lines can be edited and recalled where it is there
        import readline  # noqa: F401
    freely = film.answerer.answers_freely
    needed = "none, for an answer in the model's words, or two or more" if freely else "two or more"
    echo(
        f"{film.film.name}: ask a question, then give candidate answers ({needed}); {HOW_TO}", file=sys.stderr
    )
    answered: list[Evidence] = []
    told: tuple[str, ...] = ()
    while (asked := _typed(film)) is not None:
        try:
            question = as_read(asked.question, freely=freely)
            with progress_bar("Asking") as progress:
                evidence = film.ask_question(question, progress=progress)
        except InputError as error:
            echo(f"stage: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        answered.append(evidence)
        if as_json:
            echo(json.dumps(to_json(asked.shown(evidence))))
        else:
            print_evidence(asked.shown(evidence), without_notes=told, console=PlainConsole())
            told = (*told, *evidence.notes)
    echo(file=sys.stderr)
    return answered


def _typed(film: OpenFilm) -> Asked | None:
    """The next question; None when the input has ended."""
    question = ""
    while not question:
        if (line := _line("question: ")) is None:
            return None
        question = line.strip()
    answers: list[str] = []
    while line := (_line(f"answer {len(answers) + 1}: ") or "").strip():
        answers.append(line)
    return Asked(0, Question(0, film.clip.name, question, tuple(answers)))


def _line(prompt: str) -> str | None:
    """A line without its end; None when the input has ended."""
    try:
        if sys.stdout.isatty():
            return input(prompt)
        sys.stderr.write(prompt)  # standard output carries results only
        sys.stderr.flush()
        return input()
    except EOFError:
        return None
    except UnicodeDecodeError:
        echo("stage: this is not text in the terminal's encoding; type it again", file=sys.stderr)
        return ""
