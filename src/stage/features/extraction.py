"""Films and texts to vectors in a store."""

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

NOT_FILMS = {*SUFFIXES, ".json", ".txt", ".md"}
FRAMES_AT_ONCE = 4
"""No faster with more, and each of a large film takes its part of memory, in the detector too."""
TEXTS_AT_ONCE = 4096


def extract_texts(texts: Collection[str], out: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Word vectors of texts; those that are in the store already are not made again."""
    store = FeatureStore.create(out, FeatureAttributes(text=encoder.name, text_dim=encoder.dim))
    missing = sorted(t for t in texts if not store.has_text(t))
    for done, chunk in enumerate(chunked(missing, TEXTS_AT_ONCE)):
        progress(done * TEXTS_AT_ONCE, len(missing), "texts")
        store.put_texts(dict(zip(chunk, encoder.encode(chunk), strict=True)))


def extract_regions(
    films: Path,
    out: Path,
    detector: RegionDetector,
    progress: Progress,
    wanted: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, int]:
    """Regions of every film, or folder of frame images, below a folder. Returns their numbers of frames.

    wanted: the numbered frames of a clip to look at; without it every sixth from the first, as for any film. A clip
    that lacks one of them in the store is looked at anew. Raises InputError if one has no film.
    """
    found = films_in(films)
    if wanted and (absent := sorted(wanted.keys() - found.keys())):
        others = f" (and of {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise InputError(f"{films}: has no film of clip {absent[0]}{others}")
    store = FeatureStore.create(out, FeatureAttributes(regions=detector.name, region_dim=detector.dim))
    counts = {}
    for done, (name, path) in enumerate(found.items()):
        progress(done, len(found), name)
        if wanted is None or name in wanted:
            film = open_frames(path) if path.is_dir() else open_video(path)
            counts[name] = film.frame_count
            frames = wanted[name] if wanted else film.model_frames()
            if not (store.has_clip(name) and store.clip(name).keys() >= set(frames)):
                # Frames that can't be seen, such as those past the film's end, are known to be empty.
                unseen = dict.fromkeys(frames, Regions.none(detector.dim))
                store.put_clip(name, unseen | dict(detect_frames(film, frames, detector)))
    return counts


def detect_frames(
    video: Video | FrameFolder, frames: Iterable[int], detector: RegionDetector
) -> Iterator[tuple[int, Regions]]:
    """The regions of numbered frames, in batches."""
    for batch in chunked(video.frames(tuple(frames)), FRAMES_AT_ONCE):
        found = detector.detect([image for _, image in batch])
        yield from zip((frame for frame, _ in batch), found, strict=True)


def films_in(folder: Path) -> dict[str, Path]:
    """Clip -> its film, or its folder of frame images. Raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder of films")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() not in NOT_FILMS):
            name = path.name if path.is_dir() else path.stem
            if name in found:
                raise InputError(
                    f"{folder}: {found[name].name} and {path.name} are of one name; move one away"
                )
            found[name] = path
    if not found:
        raise InputError(f"{folder}: holds no films and no folders of frames")
    return found


def chunked(things: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
