"""ModelOutput video question answering: the answer, the seconds that show it, the boxes it speaks of.

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

# Imported when they are asked for, so that `import stage` takes no time.
_HOME = {
    "Answerer": "stage.inference.ask",
    "OpenFilm": "stage.inference.ask",
    "to_json": "stage.inference.evidence",
    "frames_to_show": "stage.page",
    "render": "stage.page",
    "write_page": "stage.page",
}


def open(video: str | Path, subtitles: str | Path | None = None, model: str | Path = "sitcom") -> OpenFilm:
    """Look at a film, and be ready for questions about it.

    subtitles: a .srt, .vtt or .ass file; without one, the film's own track is read. model: a model folder, or the
    name of a packaged model. To ask many films, make one `Answerer.from_pretrained(model)` and `open` them with it.
    Raises InputError if a file can't be used.
    """
    from stage.inference.ask import Answerer

    return Answerer.from_pretrained(model).open(video, subtitles)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'stage' has no attribute {name!r}")
