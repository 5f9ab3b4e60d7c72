"""The films of a data folder: their lengths and sizes, and the subtitle files beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stage.annotation.checking import SizeOf, released_size, unknown_size
from stage.data.layouts.folder import EPISODES, QUESTIONS, features_of, is_released, recorded_films
from stage.features.films import films_in, open_either
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import has_same_stamp
from stage.media.clip_names import clip_name, composed
from stage.media.subtitles import SUFFIXES
from stage.types import Clip


def measure(path: Path) -> tuple[Clip, tuple[str, ...]]:
    """A film, or a folder of frame images, as a clip without subtitles; and notes on what is irregular in it.

    Little is decoded. Raises InputError if it can't be read.
    """
    film = open_either(path)
    return Clip(clip_name(path), film.frame_count, film.width, film.height), film.notes


def measured_films(films: Path, clips: Iterable[str], features: Path | None) -> dict[str, Clip]:
    """The named clips that have a film, with its length and size, without subtitles.

    films: their folder; features: a feature store, if there is one. Films that it records, and that haven't changed,
    aren't opened. Raises InputError if there are no films, or one can't be read.
    """
    paths = films_in(films)
    found = {name: paths[name] for name in clips if name in paths}
    known = {} if features is None else recorded_films(FeatureStore.open(features), found)
    measured = {}
    for name, path in found.items():
        record = known.get(name)
        if record and has_same_stamp(path, record):
            measured[name] = Clip(name, record.frame_count, record.width, record.height)
        else:
            measured[name], _ = measure(path)
    return measured


def sizes_beside(annotation: Path, clips: Iterable[str]) -> SizeOf:
    """The sizes of clips in pixels, where the annotation lies in a data folder whose features or films know them."""
    folder, names = annotation.parent, set(clips)
    if annotation.name != QUESTIONS:
        return unknown_size
    features = features_of(folder)
    store = FeatureStore.open(features) if features else None
    if store and is_released(store):
        return released_size
    recorded = recorded_films(store, names) if store else {}
    sizes = {name: (film.width, film.height) for name, film in recorded.items()}
    if (folder / EPISODES).is_dir():
        measured = measured_films(folder / EPISODES, names - sizes.keys(), None)
        sizes |= {name: (clip.width, clip.height) for name, clip in measured.items()}
    return sizes.get if sizes else unknown_size


def subtitle_files(films: Path) -> dict[str, list[Path]]:
    """Clip -> the subtitle files in a folder of films that are named as the clip, .srt files first."""
    files: dict[str, list[Path]] = {}
    for path in sorted(films.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            files.setdefault(composed(path.stem), []).append(path)
    return {
        clip: sorted(paths, key=lambda path: SUFFIXES.index(path.suffix.lower()))
        for clip, paths in files.items()
    }
