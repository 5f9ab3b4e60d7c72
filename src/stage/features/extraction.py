"""Extracting features of films and texts into a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes, RegionDetector, TextEncoder
from stage.features.store.feature_store import FeatureStore
from stage.media.frame_folder import FrameFolder, open_frames
from stage.media.subtitles import SUFFIXES
from stage.media.video import Video, open_video
from stage.types import Progress, Regions

T = TypeVar("T")

IGNORED_SUFFIXES = {*SUFFIXES, ".json", ".txt", ".md"}
"""Files in a folder of films that are no films."""
FRAMES_PER_BATCH = 4
"""Larger batches are no faster, and frames of a large film take much memory, in the detector too."""
TEXTS_PER_CHUNK = 4096


def extract_texts(texts: Collection[str], out: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Compute the word vectors of texts that the store in `out` lacks."""
    store = FeatureStore.create(out, FeatureAttributes(text=encoder.name, text_dim=encoder.dim))
    missing = sorted(t for t in texts if not store.has_text(t))
    for done, chunk in enumerate(chunked(missing, TEXTS_PER_CHUNK)):
        progress(done * TEXTS_PER_CHUNK, len(missing), "texts")
        store.put_texts(dict(zip(chunk, encoder.encode(chunk), strict=True)))


def extract_regions(
    films: Path,
    out: Path,
    detector: RegionDetector,
    progress: Progress,
    clip_frames: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, int]:
    """Detect the regions of every film, or folder of frame images, in a folder. Returns clip -> frame count.

    clip_frames: clip -> the numbered frames to process; by default all films, every sixth frame from the first. A
    clip that lacks one of its frames in the store is processed again. Raises InputError if a clip has no film.
    """
    paths = films_in(films)
    if clip_frames and (missing := sorted(clip_frames.keys() - paths.keys())):
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{films}: has no film of clip {missing[0]}{others}")
    store = FeatureStore.create(out, FeatureAttributes(regions=detector.name, region_dim=detector.dim))
    counts = {}
    for done, (name, path) in enumerate(paths.items()):
        progress(done, len(paths), name)
        if clip_frames is None or name in clip_frames:
            film = open_frames(path) if path.is_dir() else open_video(path)
            counts[name] = film.frame_count
            frames = clip_frames[name] if clip_frames else film.model_frames()
            if not (store.has_clip(name) and store.clip(name).keys() >= set(frames)):
                # Frames that can't be read, such as those past the film's end, are stored as empty.
                unread = dict.fromkeys(frames, Regions.empty(detector.dim))
                store.put_clip(name, unread | dict(detect_frames(film, frames, detector)))
    return counts


def detect_frames(
    video: Video | FrameFolder, frames: Iterable[int], detector: RegionDetector
) -> Iterator[tuple[int, Regions]]:
    """Detect the regions of numbered frames in batches: (frame, regions) pairs."""
    for batch in chunked(video.frames(tuple(frames)), FRAMES_PER_BATCH):
        detected = detector.detect([image for _, image in batch])
        yield from zip((frame for frame, _ in batch), detected, strict=True)


def films_in(folder: Path) -> dict[str, Path]:
    """Clip -> its film, or its folder of frame images. Raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder of films")
    films: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() not in IGNORED_SUFFIXES):
            name = path.name if path.is_dir() else path.stem
            if name in films:
                raise InputError(
                    f"{folder}: {films[name].name} and {path.name} have the same clip name; move one away"
                )
            films[name] = path
    if not films:
        raise InputError(f"{folder}: contains no films and no folders of frames")
    return films


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` consecutive items; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
