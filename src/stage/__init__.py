"""Grounded video question answering: the answer, when it is shown, and where.

film = stage.open("film.mp4", "film.srt")
evidence = film.ask("Who is at the door ?", ["Mia .", "Leo ."])
answers = film.ask_all([("Who is at the door ?", ["Mia .", "Leo ."]), ("Where is Leo ?", ["Here .", "There ."])])
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stage.errors import InputError
from stage.inference.names import DEFAULT_ANSWERER

if TYPE_CHECKING:
    from stage.inference.answerer import Answerer, OpenFilm
    from stage.inference.answers import Answers
    from stage.inference.evidence_json import to_json
    from stage.page import frames_to_show, render, write_page

__all__ = [
    "Answerer",
    "Answers",
    "InputError",
    "OpenFilm",
    "frames_to_show",
    "open",
    "render",
    "to_json",
    "write_page",
]

# Imported on first use, so that `import stage` is fast.
_MODULE_OF = {
    "Answerer": "stage.inference.answerer",
    "Answers": "stage.inference.answers",
    "OpenFilm": "stage.inference.answerer",
    "to_json": "stage.inference.evidence_json",
    "frames_to_show": "stage.page",
    "render": "stage.page",
    "write_page": "stage.page",
}


def open(
    video: str | Path,
    subtitles: str | Path | None = None,
    model: str | Path = DEFAULT_ANSWERER,
    *,
    detector: str | None = None,
    image_text: str | None = None,
) -> OpenFilm:
    """Open a film and look at it, ready for questions.

    subtitles: a .srt, .vtt, .ass or .ssa file, or "auto" to have what is said heard; without one, the film's own
    subtitle track is read, if any. model: who answers, and detector and image_text: what with, as in
    `Answerer.from_pretrained`. For several films, call that once and open them with the answerer. Raises InputError
    if a file can't be used.
    """
    from stage.inference.answerer import Answerer

    answerer = Answerer.from_pretrained(model, detector=detector, image_text=image_text)
    return answerer.open(video, subtitles)


def __dir__() -> list[str]:
    return [*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'stage' has no attribute {name!r}")
