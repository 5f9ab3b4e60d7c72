"""The films of a task: opened with their subtitles, one image per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stage.annotation.clips import read_subtitles as read_subtitles_of_clips
from stage.errors import InputError
from stage.features.store.film_record import record_film
from stage.media.clip_names import clip_name
from stage.media.frame_folder import FrameFolder, open_frames
from stage.media.subtitles import SUFFIXES, Subtitles, check_overlap, read_subtitles, subtitles_of
from stage.media.video import Video, open_video
from stage.page.pictures import SETTINGS
from stage.types import FRAMES_PER_SECOND, Clip, Image, Sentence

LONGEST_SIDE = SETTINGS[0][0]
LONGEST_CLIP = 30 * 60
"""Seconds. The images of a longer one would take more than a gigabyte of memory, and its page more than 100 MB."""

GivenSubtitles = Mapping[str, tuple[Sentence, ...]] | Path | None
"""Clip -> sentences, the subtitle file of a single film, or None for each film's own track."""


@dataclass(frozen=True, slots=True)
class OpenedClip:
    """A film, or a folder of its frames, opened to be annotated."""

    clip: Clip
    images: Mapping[int, Image]
    """Numbered frame -> image, one per second, at most LONGEST_SIDE pixels long."""
    fingerprint: str
    """Of the film's content: work on another film is not taken for work on this one."""
    notes: tuple[str, ...] = ()
    """Messages to the user about what was repaired, or is missing or irregular."""


def films_by_clip(films: Sequence[Path]) -> dict[str, Path]:
    """Clip name (vid_name) -> its film, or folder of frames, in the given order.

    Raises InputError if one doesn't exist, or if two are of the same clip.
    """
    by_clip: dict[str, Path] = {}
    for film in films:
        if not film.exists():
            raise InputError(f"{film}: no such film, nor folder of frames; check the path")
        name = clip_name(film.absolute())
        if name in by_clip:
            raise InputError(
                f"{by_clip[name]} and {film}: have the same clip name, {name!r}, and so the same page; give only one"
            )
        by_clip[name] = film
    return by_clip


def shown_frames(frame_count: int) -> range:
    """The numbered frames that a page shows: one per second, every other of which STAGE reads."""
    return range(1, frame_count + 1, FRAMES_PER_SECOND)


def read_given_subtitles(path: Path | None, films: int) -> GivenSubtitles:
    """Read subtitles.json[.gz]; a single film's own file is returned as it is, to be read with the film.

    Raises InputError if the name is that of neither, or of a single film's file for several films.
    """
    if path is None:
        return None
    name = path.name.lower()
    if name.endswith((".json", ".json.gz")):
        return read_subtitles_of_clips(path)
    if not name.endswith(SUFFIXES):
        raise InputError(f"{path}: give subtitles.json[.gz], or a film's {', '.join(SUFFIXES)} file")
    if films > 1:
        raise InputError(f"{path}: has the subtitles of one film; give subtitles.json for {films} films")
    return path


def open_clip(path: Path, subtitles: GivenSubtitles) -> OpenedClip:
    """Open a film, or a folder of its frames (3 per second). Raises InputError if a file can't be used."""
    opened = open_frames(path) if path.is_dir() else open_video(path)
    name, count = clip_name(path.absolute()), opened.frame_count
    if count > LONGEST_CLIP * FRAMES_PER_SECOND:
        raise InputError(
            f"{path}: is {count / FRAMES_PER_SECOND / 60:.0f} minutes long; "
            f"cut it into clips of at most {LONGEST_CLIP // 60} minutes"
        )
    read = _subtitles(path, name, subtitles)
    try:
        notes = (*read.notes, *check_overlap(read.sentences, count / FRAMES_PER_SECOND))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return OpenedClip(
        Clip(name, count, opened.width, opened.height, read.sentences),
        _images(opened),
        record_film(path, opened).fingerprint,
        (*opened.notes, *notes),
    )


def _images(opened: Video | FrameFolder) -> dict[int, Image]:
    numbers = shown_frames(opened.frame_count)
    if isinstance(opened, Video):
        return dict(opened.frames(numbers, LONGEST_SIDE))
    return {number: _scaled(image) for number, image in opened.frames(numbers)}


def _scaled(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _subtitles(path: Path, name: str, given: GivenSubtitles) -> Subtitles:
    """The subtitles of a clip; no sentences and a note if there are none."""
    if isinstance(given, Path):
        return read_subtitles(given)
    if given is not None:
        missing = "" if name in given else "is not in the subtitles given: its page shows no dialogue"
        return Subtitles(given.get(name, ()), (missing,) if missing else ())
    own_track = None if path.is_dir() else subtitles_of(path)
    return own_track or Subtitles((), ("has no subtitles: its page shows no dialogue; give --subtitles",))
