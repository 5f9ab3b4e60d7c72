"""A film with what is said in it: the two files that a question is about, opened and held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stage.media.subtitles import check_overlap, read_subtitles, subtitles_of
from stage.media.video import Video, open_video
from stage.types import Clip, Sentence


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures and sentences of one film."""

    video: Video
    sentences: tuple[Sentence, ...]
    """None for a film without subtitles."""
    notes: tuple[str, ...]
    """What was repaired or is missing, to be put before the user."""

    @property
    def clip(self) -> Clip:
        return Clip(
            self.video.name, self.video.frame_count, self.video.width, self.video.height, self.sentences
        )


def open_film(video: str | Path, subtitles: str | Path | None = None) -> Film:
    """Open a film and its subtitle file; without one, the film's own subtitle track is read, if it has one.

    Little is decoded, and no model is needed. Raises InputError if either file can't be used, or the subtitles are
    those of another film.
    """
    opened = open_video(Path(video))
    found = read_subtitles(Path(subtitles)) if subtitles is not None else subtitles_of(opened.path)
    if found is None:
        return Film(opened, (), (*opened.notes, "no subtitles: the pictures alone are asked"))
    beyond = check_overlap(found.sentences, opened.duration)
    return Film(opened, found.sentences, (*opened.notes, *found.notes, *beyond))
