"""Phrases in films: the boxes that show what a phrase names, found once for each phrase and film"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from stage.features.checks import check_detected
from stage.features.extraction import chunked
from stage.features.protocols import FeatureAttributes, PhraseDetector
from stage.features.store.film_cache import RegionCache
from stage.media.video import Video, fingerprint
from stage.types import Box, Image, Progress, Regions

LONGEST_SIDE = 1344
"""Pixels of the longer side of the images that are looked at: no model of `open_vocabulary` reads larger ones."""
FRAMES_PER_BATCH = 4
FRAMES_BETWEEN_SAVES = 200
PREFIX = "phrases-1:"
"""Before the detector's name in what is cached; the number changes with the way phrases are looked for."""

Found = Mapping[str, Mapping[int, tuple[Box, ...]]]
"""Phrase -> numbered frame -> the boxes found in it, best first; frames without boxes are there too."""


def find_phrases(
    video: Video,
    frames: Sequence[int],
    phrases: Sequence[str],
    detector: PhraseDetector,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Found:
    """Find what phrases name in numbered frames of a film; boxes are in pixels of the film.

    A frame is decoded once for all phrases that were never looked for in it. What is found is kept in `cache_folder`
    (by default the user's cache folder), by the film's content, the detector and the phrase in lower case: also if
    an error or an interruption ends the search. note: called with each message to the user. Numbers outside the film
    are omitted. Raises InputError if a frame can't be read any more, or the detector can't process it.
    """
    asked = {phrase: " ".join(phrase.lower().split()) for phrase in phrases}
    film = fingerprint(video.path) if asked else ""
    searches = {text: _Search.open(film, text, detector, cache_folder) for text in asked.values()}
    wanted = sorted({frame for frame in frames if 1 <= frame <= video.frame_count})
    missing = {
        frame: lacking
        for frame in wanted
        if (lacking := tuple(text for text, search in searches.items() if frame not in search.found))
    }
    unsaved = done = 0
    try:
        for frame, image, texts, of_texts in _looked(video, missing, detector):
            for text, boxes in zip(texts, of_texts, strict=True):
                regions = _regions(boxes, video.width / image.shape[1])
                check_detected(regions, f"{video.path}, frame {frame}", detector.name)
                searches[text].found[frame] = regions
            done, unsaved = done + 1, unsaved + 1
            if progress:
                progress(done, len(missing), "frames")
            if unsaved == FRAMES_BETWEEN_SAVES:
                _save(searches.values())
                unsaved = 0
    finally:
        if unsaved:
            _save(searches.values())
    if note:
        for text in dict.fromkeys([*detector.notes, *(n for s in searches.values() for n in s.cache.notes)]):
            note(text)
    return {phrase: searches[text].boxes(wanted, phrase) for phrase, text in asked.items()}


@dataclass
class _Search:
    """What has been found for one phrase in a film."""

    cache: RegionCache
    found: dict[int, Regions]
    """Numbered frame -> boxes in pixels of the film, without features."""
    saved: int

    @classmethod
    def open(cls, film: str, text: str, detector: PhraseDetector, folder: Path | None) -> _Search:
        attributes = FeatureAttributes(regions=f"{PREFIX}{detector.name}", region_dim=1)
        cache = RegionCache(folder, attributes, f"{film}-{hashlib.sha256(text.encode()).hexdigest()[:32]}")
        found = cache.read()
        return cls(cache, found, len(found))

    def save(self) -> None:
        if len(self.found) > self.saved:
            self.cache.keep(self.found)
            self.saved = len(self.found)

    def boxes(self, frames: Sequence[int], phrase: str) -> dict[int, tuple[Box, ...]]:
        """Of the frames that were looked at; with the phrase, as it was written, as their label."""
        return {frame: _boxes(self.found[frame], phrase) for frame in frames if frame in self.found}


def _looked(
    video: Video, missing: Mapping[int, tuple[str, ...]], detector: PhraseDetector
) -> Iterator[tuple[int, Image, tuple[str, ...], list[tuple[Box, ...]]]]:
    """Look for the missing phrases of each frame: frame, image, phrases and the boxes of each in the image."""
    if not missing:  # and no reason to open the film
        return
    decoded = video.frames(tuple(missing), longest_side=LONGEST_SIDE)
    for texts, images in groupby(decoded, key=lambda pair: missing[pair[0]]):
        for batch in chunked(images, FRAMES_PER_BATCH):
            found = detector.find([image for _, image in batch], texts)
            for (frame, image), of_texts in zip(batch, found, strict=True):
                yield frame, image, texts, of_texts


def _regions(boxes: Sequence[Box], scale: float) -> Regions:
    """Boxes as regions, whose sides are multiplied by `scale`."""
    corners = np.array([box.corners for box in boxes], np.float32).reshape(-1, 4) * np.float32(scale)
    scores = np.array([box.score for box in boxes], np.float32)
    return Regions(corners, scores, np.zeros((len(boxes), 1), np.float32))


def _boxes(regions: Regions, label: str) -> tuple[Box, ...]:
    rows = zip(regions.boxes.tolist(), regions.scores.tolist(), strict=True)
    return tuple(Box(left, top, right, bottom, label, score) for (left, top, right, bottom), score in rows)


def _save(searches: Iterable[_Search]) -> None:
    for search in searches:
        search.save()
