"""Films as they are opened to be asked: with subtitles from a file, from their own track, or heard"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage.media.film import Film, open_film
from stage.types import Progress

HEARD = "auto"
"""In place of a subtitle file: what is said in the film is heard."""


def open_to_ask(
    video: str | Path, subtitles: str | Path | None = None, progress: Progress | None = None
) -> Film:
    """Open a film and its subtitles.

    subtitles: a file, "auto" to have what is said heard by a Whisper model, or None for the film's own track, if it
    has one. Where nobody speaks, "auto" is as None. progress: called with the seconds of sound that were heard.
    Raises InputError if either can't be used.
    """
    if str(subtitles) != HEARD:
        return open_film(video, subtitles)
    from stage.speech import subtitles_of_sound

    heard = subtitles_of_sound(Path(video), progress=progress)
    film = open_film(video, heard.path)
    return replace(film, notes=(*film.notes, *heard.notes))
