"""Making the clip files of a data folder: lengths and sentences of its clips, read from its films."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stage.annotation.clips import FRAMES_FILE, SUBTITLES_FILE, subtitles_to_json
from stage.data.films import measure, subtitle_files
from stage.data.layouts.folder import EPISODES, FRAMES, SUBTITLES
from stage.errors import InputError
from stage.features.films import films_in
from stage.io import check_output, read_json, write_json
from stage.media.clip_names import composed
from stage.media.subtitles import check_overlap, read_subtitles, subtitles_of
from stage.types import Clip, Progress, Sentence


@dataclass
class ClipFiles:
    """What was read from the films of a data folder."""

    frames: dict[str, int] = field(default_factory=dict)
    """Clip -> its frame count."""
    subtitles: dict[str, Any] = field(default_factory=dict)
    """Clip -> its entry in the subtitle file."""
    notes: list[str] = field(default_factory=list)
    """What was repaired or is missing, each with the clip's name."""
    unreadable: list[str] = field(default_factory=list)
    """Why films were left out, each with its path."""


def make_clip_files(folder: Path, progress: Progress, *, overwrite: bool = False) -> ClipFiles:
    """Write frames.json and subtitles.json of a data folder, from its films and the subtitle files beside them.

    A film that can't be read, or whose subtitles can't, is left out; the others are written. Raises InputError if
    there are no films, none of them can be read, or a file would be replaced whose entries differ from those of the
    films (without `overwrite`).
    """
    films = films_in(folder / EPISODES)
    for name, kind in ((FRAMES, FRAMES_FILE), (SUBTITLES, SUBTITLES_FILE)):
        check_output(folder / name, kind, overwrite=overwrite)
    made = read_clip_files(films, subtitle_files(folder / EPISODES), progress)
    if not made.frames:
        raise InputError(made.unreadable[0])
    if not overwrite:
        for name, entries in ((FRAMES, made.frames), (SUBTITLES, made.subtitles)):
            _refuse_changes(folder / name, entries)
    write_json(folder / SUBTITLES, made.subtitles)
    write_json(folder / FRAMES, made.frames)
    return made


def read_clip_files(
    films: dict[str, Path], subtitles: dict[str, list[Path]], progress: Progress
) -> ClipFiles:
    """Read the length and the sentences of every film. subtitles: clip -> the files that are named as it."""
    made = ClipFiles()
    for done, (name, film) in enumerate(films.items()):
        progress(done, len(films), name)
        files = subtitles.get(name, [])
        try:
            clip, notes = measure(film)
            sentences, more = _sentences(clip, film, files)
        except InputError as error:
            made.unreadable.append(str(error))
            continue
        made.frames[name] = clip.frame_count
        made.subtitles[name] = subtitles_to_json(sentences)
        made.notes += [f"{name}: {note}" for note in (*notes, *more)]
    for name in sorted(subtitles.keys() - films.keys()):
        made.notes.append(f"{subtitles[name][0]}: no film is named so; name it as its film")
    return made


def _sentences(clip: Clip, film: Path, files: list[Path]) -> tuple[tuple[Sentence, ...], tuple[str, ...]]:
    """The sentences of a film, from the first of its subtitle files or from its own track; and notes."""
    read = read_subtitles(files[0]) if files else None if film.is_dir() else subtitles_of(film)
    if read is None:
        return (), ("no subtitles",)
    try:
        overlap = check_overlap(read.sentences, clip.duration)
    except InputError as error:
        raise InputError(f"{film}: {error}") from None
    others = [f"{files[0].name} is read, not {path.name}" for path in files[1:]]
    return read.sentences, (*others, *read.notes, *overlap)


def _refuse_changes(path: Path, entries: dict[str, Any]) -> None:
    """Raise InputError if a file has other entries than those that will be written; new ones may be added."""
    if not path.exists() or not path.stat().st_size:
        return
    present = {composed(name): entry for name, entry in read_json(path).items()}
    if different := [name for name, entry in present.items() if entries.get(name) != entry]:
        first, others = different[0], f" (and {len(different) - 1:,} others)" if len(different) > 1 else ""
        what = "differs from its film" if first in entries else "has no readable film"
        raise InputError(
            f"{path}: its clip {first} {what}{others}; keep the file as it is, or replace it with --overwrite"
        )
