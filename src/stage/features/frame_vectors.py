"""Vectors of a film's frames by an image-text encoder, computed once for each film"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stage.errors import InputError
from stage.features.extraction import chunked
from stage.features.protocols import FeatureAttributes, ImageTextEncoder
from stage.features.store.clip_file import shown
from stage.features.store.film_cache import RegionCache
from stage.media.video import Video, fingerprint
from stage.types import Array, Image, Progress, Regions

LONGEST_SIDE = 768
"""Pixels of the longer side of the images that are encoded: models read squares of 224 to 512."""
FRAMES_PER_BATCH = 8
FRAMES_BETWEEN_SAVES = 200
PREFIX = "frames-1:"
"""Before the encoder's name in what is cached; the number changes with the way frames are encoded."""


def frame_vectors(
    video: Video,
    frames: Sequence[int],
    encoder: ImageTextEncoder,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Array:
    """The vectors of numbered frames of a film: (frames, dim), each of unit length, in the order of the frames.

    They are kept in `cache_folder` (by default the user's cache folder), by the film's content and the encoder, also
    if an error or an interruption ends the encoding; their numbers are rounded to float16, also when they are new.
    note: called with each message to the user. Raises InputError if a frame lies outside the film or can't be read
    any more, or the encoder can't process it.
    """
    if outside := sorted({frame for frame in frames if not 1 <= frame <= video.frame_count}):
        raise InputError(
            f"{video.path}: has no {shown(outside)}; its frames are numbered from 1 to {video.frame_count}"
        )
    attributes = FeatureAttributes(regions=f"{PREFIX}{encoder.name}", region_dim=encoder.dim)
    cache = RegionCache(cache_folder, attributes, fingerprint(video.path))
    known = cache.read()
    missing = sorted(set(frames) - known.keys())
    unsaved = done = 0
    try:
        decoded = video.frames(missing, longest_side=LONGEST_SIDE) if missing else ()
        for batch in chunked(decoded, FRAMES_PER_BATCH):
            vectors = encoder.images([image for _, image in batch])
            known |= {
                frame: _region(vector, image) for (frame, image), vector in zip(batch, vectors, strict=True)
            }
            done, unsaved = done + len(batch), unsaved + len(batch)
            if progress:
                progress(done, len(missing), "frames")
            if unsaved >= FRAMES_BETWEEN_SAVES:
                cache.keep(known)
                unsaved = 0
    finally:
        if unsaved:
            cache.keep(known)
    if note:
        for text in cache.notes:
            note(text)
    vectors = np.zeros((len(frames), encoder.dim), np.float32)
    for row, frame in enumerate(frames):
        vectors[row] = known[frame].features[0]
    unit: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _region(vector: Array, image: Image) -> Regions:
    """A frame's vector as that of a region, which is all of the frame."""
    height, width = image.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    return Regions(box, np.ones(1, np.float32), vector[None].astype(np.float16).astype(np.float32))
