"""Grounded video question answering: the answer, when it is shown, and where.

film = stage.open("film.mp4", "film.srt")
evidence = film.ask("Who is at the door ?", ["Mia .", "Leo ."])
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stage.errors import InputError

if TYPE_CHECKING:
    from stage.inference.ask import Answerer, OpenFilm
    from stage.inference.evidence import to_json
    from stage.page import frames_to_show, render, write_page

__all__ = ["Answerer", "InputError", "OpenFilm", "frames_to_show", "open", "render", "to_json", "write_page"]

# Imported on first use, so that `import stage` is fast.
_MODULE_OF = {
    "Answerer": "stage.inference.ask",
    "OpenFilm": "stage.inference.ask",
    "to_json": "stage.inference.evidence",
    "frames_to_show": "stage.page",
    "render": "stage.page",
    "write_page": "stage.page",
}


def open(video: str | Path, subtitles: str | Path | None = None, model: str | Path = "sitcom") -> OpenFilm:
    """Open a film and encode it, ready for questions.

    subtitles: a .srt, .vtt, .ass or .ssa file; without one, the film's own subtitle track is read, if any. model: a
    model folder, or the name of a packaged model. For several films, create one `Answerer.from_pretrained(model)` and
    open them with it. Raises InputError if a file can't be used.
    """
    from stage.inference.ask import Answerer

    return Answerer.from_pretrained(model).open(video, subtitles)


def __dir__() -> list[str]:
    return [*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'stage' has no attribute {name!r}")
