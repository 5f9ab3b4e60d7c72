"""Looking at a film: its regions with their colours, and its shots, cached by the film's content"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stage.features.checks import check_detected
from stage.features.extraction import chunked
from stage.features.protocols import FeatureAttributes, RegionDetector
from stage.features.registry import detector_notes
from stage.features.store.film_cache import RegionCache
from stage.media.video import Video, fingerprint
from stage.types import Array, Image, Progress, Regions
from stage.zero_shot.colours import DIM as COLOURS
from stage.zero_shot.colours import NAMES, VERSION, ColourDetector, picture_shares
from stage.zero_shot.shots import DIM as LAYOUT
from stage.zero_shot.shots import cuts, layout

FRAMES_PER_BATCH = 4
FRAMES_BETWEEN_SAVES = 200
OUTLINE = FeatureAttributes(regions=f"layout-1-colours-{VERSION}", region_dim=LAYOUT + len(NAMES))
"""Of what is cached of every numbered frame: its layout and its colours, as the vector of one region, all of it."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What was seen in a film. The T frames that were looked at are numbered, in increasing order."""

    frames: tuple[int, ...]
    regions: tuple[Regions, ...]
    """Of each frame; without a detector none."""
    frame_colours: Array
    """(T, names)"""
    cuts: tuple[float, ...]
    """Times in seconds at which new shots begin."""
    notes: tuple[str, ...]
    """Messages to the user."""


class _Part:
    """What is made of some frames of a film, and cached."""

    def __init__(
        self,
        attributes: FeatureAttributes,
        make: Callable[[list[Image]], list[Regions]],
        frames: tuple[int, ...],
        cache: Path | None,
        film: str,
    ) -> None:
        self._cache = RegionCache(cache, attributes, film)
        self._make, self._frames = make, frames
        self.made = self._cache.read()
        self._unsaved = 0

    @property
    def missing(self) -> set[int]:
        return set(self._frames) - self.made.keys()

    def add(self, batch: list[tuple[int, Image]], where: str) -> None:
        """Make what is missing of a batch of frames."""
        if wanted := [(frame, image) for frame, image in batch if frame in self.missing]:
            made = self._make([image for _, image in wanted])
            for (frame, _), regions in zip(wanted, made, strict=True):
                check_detected(regions, f"{where}, frame {frame}", self._cache_name)
                self.made[frame] = _as_stored(regions)
            self._unsaved += len(wanted)
        if self._unsaved >= FRAMES_BETWEEN_SAVES:
            self.save()

    @property
    def _cache_name(self) -> str:
        return "the detector"

    def save(self) -> None:
        """Keep what was made, for the next time."""
        if self._unsaved:
            self._cache.keep(self.made)
            self._unsaved = 0

    @property
    def notes(self) -> tuple[str, ...]:
        return self._cache.notes


def look(video: Video, detector: RegionDetector | None, cache: Path | None, progress: Progress) -> Looked:
    """Look at a film: at all its numbered frames for cuts, and at those that models read for regions.

    What was seen is kept in `cache` (by default the user's cache folder), also if an error or an interruption ends
    the looking. Raises InputError if the film can't be read any more, or the detector can't process a frame.
    """
    film, every = fingerprint(video.path), tuple(range(1, video.frame_count + 1))
    outlines = _Part(OUTLINE, _outlines, every, cache, film)
    parts, frames = [outlines], video.model_frames()
    if detector is not None:
        coloured = ColourDetector(detector)
        attributes = FeatureAttributes(regions=coloured.name, region_dim=COLOURS)
        parts.append(_Part(attributes, coloured.detect, frames, cache, film))
    missing = sorted(set().union(*(part.missing for part in parts)))
    try:
        done = 0
        for batch in chunked(video.frames(missing), FRAMES_PER_BATCH):
            for part in parts:
                part.add(batch, str(video.path))
            done += len(batch)
            progress(done, len(missing), "frames")
    finally:
        for part in parts:
            part.save()
    seen = [part.made for part in parts[1:]]
    regions = tuple(seen[0][frame] if seen else Regions.empty(COLOURS) for frame in frames)
    vectors = np.stack([outlines.made[frame].features[0] for frame in every])
    colours = np.stack([outlines.made[frame].features[0, LAYOUT:] for frame in frames])
    notes = [*(() if detector is None else detector_notes(detector))]
    notes += dict.fromkeys(note for part in parts for note in part.notes)
    return Looked(frames, regions, colours, cuts(vectors[:, :LAYOUT], every), tuple(notes))


def _outlines(images: list[Image]) -> list[Regions]:
    return [_outline(image) for image in images]


def _outline(image: Image) -> Regions:
    height, width = image.shape[:2]
    vector = np.concatenate([layout(image), picture_shares(image)])
    return Regions(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32), vector[None])


def _as_stored(regions: Regions) -> Regions:
    """In the precision of a store, so that an answer is the same whether or not its film was cached."""
    features = regions.features.astype(np.float16).astype(np.float32)
    return Regions(regions.boxes, regions.scores, features, regions.labels)
