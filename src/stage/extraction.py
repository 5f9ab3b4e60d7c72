"""Films and questions to features: what `stage features` runs on a data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from stage.annotation.questions import read_questions
from stage.errors import InputError
from stage.features.regions import RegionDetector
from stage.features.store import FeatureAttributes, FeatureStore
from stage.features.text import TextEncoder
from stage.layouts.folder import FEATURES, QUESTIONS, read_clips
from stage.media.video import Video, open_video
from stage.types import Regions

T = TypeVar("T")

EPISODES = "episodes"
FRAMES_AT_ONCE = 8

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what it is."""


def extract_folder(
    folder: Path, text: TextEncoder, detector: RegionDetector, progress: Progress
) -> FeatureStore:
    """Make the features of a data folder; clips and texts that are there already are not made again."""
    attributes = FeatureAttributes(text.name, text.dim, detector.name, detector.dim)
    store = FeatureStore.create(folder / FEATURES, attributes)
    clips = read_clips(folder)
    for done, name in enumerate(sorted(clips)):
        progress(done, len(clips), name)
        if not store.has_clip(name):
            video = open_video(film_of(folder, name))
            store.put_clip(name, dict(detect_frames(video, video.model_frames(), detector)))
    progress(len(clips), len(clips), "words")
    texts = {sentence.text for clip in clips.values() for sentence in clip.sentences}
    texts |= {h for question in read_questions(folder / QUESTIONS) for h in question.hypotheses}
    missing = sorted(t for t in texts if not store.has_text(t))
    for chunk in chunked(missing, 4096):
        store.put_texts(dict(zip(chunk, text.encode(chunk), strict=True)))
    return store


def detect_frames(
    video: Video, frames: Iterable[int], detector: RegionDetector
) -> Iterator[tuple[int, Regions]]:
    """The regions of numbered frames, in batches."""
    for batch in chunked(video.frames(tuple(frames)), FRAMES_AT_ONCE):
        found = detector.detect([image for _, image in batch])
        yield from zip((frame for frame, _ in batch), found, strict=True)


def film_of(folder: Path, name: str) -> Path:
    """The film of a clip in a data folder."""
    found = sorted((folder / EPISODES).glob(f"{name}.*"))
    films = [path for path in found if path.suffix.lower() not in {".srt", ".vtt", ".ass", ".json"}]
    if not films:
        raise InputError(f"{folder / EPISODES}: has no film of clip {name}")
    return films[0]


def chunked(things: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
