"""Extracting features of films and texts into a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from stage.errors import InputError
from stage.features.checks import check_detected, check_made
from stage.features.films import films_in, open_either, without_film
from stage.features.protocols import FeatureAttributes, RegionDetector, TextEncoder
from stage.features.store.clip_file import shown
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import has_same_stamp, is_same_film, record_film
from stage.media.frame_folder import FrameFolder
from stage.media.video import Video
from stage.types import MODEL_STRIDE, Array, Progress, Regions

T = TypeVar("T")

FRAMES_PER_BATCH = 4
"""Larger batches are no faster, and frames of a large film take much memory, in the detector too."""
TEXTS_PER_CHUNK = 4096


def extract_texts(texts: Collection[str], out: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Compute the word vectors of texts that the store in `out` lacks."""
    store = FeatureStore.create(out, FeatureAttributes(text=encoder.name, text_dim=encoder.dim))
    missing = sorted(t for t in texts if not store.has_text(t))
    for done, chunk in enumerate(chunked(missing, TEXTS_PER_CHUNK)):
        progress(done * TEXTS_PER_CHUNK, len(missing), "texts")
        store.put_texts(dict(zip(chunk, encode_texts(chunk, encoder), strict=True)))


def encode_texts(texts: Sequence[str], encoder: TextEncoder) -> list[Array]:
    """The word vectors of each text. Raises InputError naming one whose vectors can't be used.

    They have the precision of a store, float16, so that a film is asked with the vectors of a data set.
    """
    vectors = encoder.encode(texts)
    check_made(vectors, texts, encoder.name)
    return [array.astype(np.float16).astype(np.float32) for array in vectors]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What `extract_regions` found."""

    frame_counts: dict[str, int]
    """Clip -> the numbered frames of its film."""
    notes: tuple[str, ...]
    """Messages to the user: films that were repaired or replaced, frames that can't be read."""


def extract_regions(
    films: Path,
    out: Path,
    detector: RegionDetector,
    progress: Progress,
    clip_frames: Mapping[str, Sequence[int]] | None = None,
) -> Extracted:
    """Detect the regions of every film, or folder of frame images, in a folder.

    clip_frames: clip -> the numbered frames to process; by default all films, every sixth frame from the first.
    Frames that the store has are kept, unless they are of another film: then the clip is processed anew, as far as
    the store knows which film its frames are of. Raises InputError if a clip has no film, or a film is replaced while
    it is read.
    """
    paths = films_in(films)
    if clip_frames and (missing := sorted(clip_frames.keys() - paths.keys())):
        raise InputError(f"{films}: has no film of {without_film(films, missing)}")
    store = FeatureStore.create(out, FeatureAttributes(regions=detector.name, region_dim=detector.dim))
    wanted = [name for name in paths if clip_frames is None or name in clip_frames]
    counts, notes = {}, []
    for done, name in enumerate(wanted):
        progress(done, len(wanted), name)
        frames = None if clip_frames is None else clip_frames[name]
        counts[name], of_clip = _extract_clip(name, paths[name], frames, store, detector)
        notes += of_clip
    return Extracted(counts, tuple(notes))


def _extract_clip(
    name: str, path: Path, frames: Sequence[int] | None, store: FeatureStore, detector: RegionDetector
) -> tuple[int, list[str]]:
    """Store the regions of frames that the store lacks. Returns the film's frame count, and notes."""
    stored = store.clip(name) if store.has_clip(name) else None
    before = stored.header.film if stored is not None else None
    replaced = before is not None and not is_same_film(path, before)
    if stored is not None and not replaced and before is not None:
        usual = range(1, before.frame_count + 1, MODEL_STRIDE)
        if not stored.missing(usual if frames is None else frames):
            return before.frame_count, []
    film = open_either(path)
    wanted = film.model_frames() if frames is None else frames
    kept: dict[int, Regions] = {}
    if stored is not None and not replaced:
        if not (missing := stored.missing(wanted)):
            return film.frame_count, []
        # Only frames of a film that is known to be this one can stand beside new ones.
        kept = stored.at(stored) if before is not None else {}
        wanted = missing if before is not None else [*stored, *missing]
    record = record_film(path, film)
    found = dict(detect_frames(film, wanted, detector))
    if not has_same_stamp(path, record):
        raise InputError(f"{path}: was changed while it was read; run the command again")
    # Frames that can't be read, such as those past the film's end, are stored as empty.
    unread = [frame for frame in wanted if frame not in found]
    store.put_clip(name, kept | found | dict.fromkeys(unread, Regions.empty(detector.dim)), record)
    notes = [f"{path.name}: {note}" for note in film.notes]
    if replaced:
        notes.append(
            f"{path.name}: is not the film that the features of clip {name} were of; they are made anew"
        )
    if unread:
        notes.append(f"{path.name}: {shown(unread)} can't be read, and are taken for frames without regions")
    return film.frame_count, notes


def detect_frames(
    video: Video | FrameFolder, frames: Iterable[int], detector: RegionDetector
) -> Iterator[tuple[int, Regions]]:
    """Detect the regions of numbered frames in batches: (frame, regions) pairs.

    Raises InputError naming the first frame whose features contain NaN or values that float16 can't hold.
    """
    for batch in chunked(video.frames(tuple(frames)), FRAMES_PER_BATCH):
        detected = detector.detect([image for _, image in batch])
        for (frame, _), regions in zip(batch, detected, strict=True):
            check_detected(regions, f"{video.path}, frame {frame}", detector.name)
            yield frame, regions


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` consecutive items; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
