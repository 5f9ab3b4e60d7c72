"""A film with its subtitles: both files opened and checked for overlap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stage.media.subtitles import check_overlap, read_subtitles, subtitles_of
from stage.media.video import Video, open_video
from stage.types import Clip, Sentence


@dataclass(frozen=True, slots=True)
class Film:
    """A video with its subtitle sentences."""

    video: Video
    sentences: tuple[Sentence, ...]
    """Sorted by start; empty for a film without subtitles."""
    notes: tuple[str, ...]
    """Messages to the user about what was repaired or is missing."""

    @property
    def clip(self) -> Clip:
        """The whole film as one clip."""
        return Clip(
            self.video.name, self.video.frame_count, self.video.width, self.video.height, self.sentences
        )


def open_film(video: str | Path, subtitles: str | Path | None = None) -> Film:
    """Open a film and its subtitle file; without one, the film's own subtitle track is read, if it has one.

    Little is decoded, and no model is needed. Raises InputError if either file can't be used, or if the subtitles
    belong to another film.
    """
    opened = open_video(Path(video))
    read = read_subtitles(Path(subtitles)) if subtitles is not None else subtitles_of(opened.path)
    if read is None:
        return Film(opened, (), (*opened.notes, "no subtitles: answered from the frames alone"))
    overlap_notes = check_overlap(read.sentences, opened.duration)
    return Film(opened, read.sentences, (*opened.notes, *read.notes, *overlap_notes))
