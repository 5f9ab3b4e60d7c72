"""Folders of films: which clip each film is of, opening one, and whether it is still the film of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import FilmRecord, has_same_stamp, is_same_film
from stage.media.clip_names import clip_name
from stage.media.frame_folder import FrameFolder, open_frames
from stage.media.subtitles import SUFFIXES
from stage.media.video import Video, open_video

IGNORED_SUFFIXES = {*SUFFIXES, ".json", ".txt", ".md"}
"""Files in a folder of films that are no films."""
FINGERPRINTS = 16
"""Films of another time stamp that are compared by content when a data set is opened."""


def check_films(store: FeatureStore, films: Path, recorded: Mapping[str, FilmRecord]) -> None:
    """Hold the films of a folder against those that the features of clips were detected in.

    By size and time stamp; where only the time stamp differs, as after copying a folder, up to FINGERPRINTS of the
    films are read in part. Clips whose film is not there are not checked. recorded: clip -> the film of its
    features. Raises InputError naming the first film that is another one, and the command that makes them anew.
    """
    paths = _films(films) if films.is_dir() else {}
    unsure: list[tuple[str, Path, FilmRecord]] = []
    for name, record in recorded.items():
        if len(found := paths.get(name, [])) == 1:
            if has_same_stamp(found[0], record):
                continue
            if found[0].is_file() and found[0].stat().st_size != record.size:
                raise _another_film(store, name, found[0])
            unsure.append((name, found[0], record))
    step = max(1, len(unsure) // FINGERPRINTS)
    for name, path, record in unsure[::step]:
        if not is_same_film(path, record):
            raise _another_film(store, name, path)


def _another_film(store: FeatureStore, name: str, path: Path) -> InputError:
    return InputError(
        f"{path}: is not the film that the features of clip {name} were detected in; make them anew with "
        f"{store.command(words=False)}"
    )


def films_in(folder: Path) -> dict[str, Path]:
    """Clip -> its film, or its folder of frame images. Raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder of films")
    films = _films(folder)
    if not films:
        raise InputError(f"{folder}: contains no films and no folders of frames")
    for first, *others in films.values():
        if others:
            raise InputError(
                f"{folder}: {first.name} and {others[0].name} have the same clip name; move one away"
            )
    return {name: paths[0] for name, paths in films.items()}


def _films(folder: Path) -> dict[str, list[Path]]:
    """Clip -> what may be its film, or its folder of frame images; several paths if they have the same clip name."""
    films: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() not in IGNORED_SUFFIXES):
            films.setdefault(clip_name(path), []).append(path)
    return films


def open_either(path: Path) -> Video | FrameFolder:
    """Open a film or a folder of frame images. Raises InputError if it can't be read."""
    return open_frames(path) if path.is_dir() else open_video(path)


def without_film(films: Path, clips: Sequence[str]) -> str:
    """The clips without a film, and where one of them may be."""
    others = f" (and {len(clips) - 1} more)" if len(clips) > 1 else ""
    inner = (path for folder in sorted(films.iterdir()) if folder.is_dir() for path in folder.iterdir())
    below = next((path for path in inner if clip_name(path) in clips), None)
    advice = f"; films in subfolders are not read: move {below.relative_to(films)} up" if below else ""
    return f"clip {clips[0]}{others}{advice}"
