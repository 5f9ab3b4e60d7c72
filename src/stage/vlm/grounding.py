"""Boxes of the words of an answer: the model's own, or those of a detector"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stage.annotation.vocabulary import normalise_word
from stage.features.extraction import detect_frames
from stage.features.phrases import find_phrases
from stage.features.protocols import FeatureAttributes, PhraseDetector, RegionDetector
from stage.features.registry import (
    cache_name,
    detector_notes,
    kind_of_detector,
    load_detector,
    load_phrase_detector,
)
from stage.features.store.film_cache import RegionCache
from stage.media.video import Video, fingerprint
from stage.types import Box, Regions
from stage.vlm import prompts
from stage.vlm.chat import ChatModel
from stage.vlm.reply_boxes import SeenBox, boxes_in
from stage.vlm.view import View
from stage.wording import counted

TOKENS_PER_WORD, MOST_TOKENS = 60, 600
"""Of a reply with boxes."""

Found = Mapping[int, Mapping[str, tuple[Box, ...]]]
"""Numbered frame -> word -> its boxes in pixels of the film, best first."""
Noted = tuple[Found, tuple[str, ...]]
"""With messages to the user."""
Told = Callable[[], None]


def nothing() -> None:
    """Called after a prompt if nobody wants to know."""


class Grounder(Protocol):
    """Finds words in frames of a film."""

    def find(self, view: View, frames: Sequence[int], words: Sequence[str], asked: Told = nothing) -> Noted:
        """The boxes of words in numbered frames. asked: called after every prompt to a model."""


def grounder_of(model: ChatModel, detector: str | None, cache: Path | None) -> Grounder:
    """Who finds boxes: the detector that the user named, else the model itself if its family prints boxes, else none.

    Raises InputError if the detector can't be loaded.
    """
    if detector is not None:
        if kind_of_detector(detector) == "phrases":
            return PhraseGrounder(load_phrase_detector(detector), cache)
        return LabelGrounder(load_detector(detector), cache)
    if model.habits.boxes and model.limits.frames:
        return OwnGrounder(model)
    return NoGrounder(model.name)


@dataclass(frozen=True, eq=False)
class NoGrounder:
    """Finds nothing, and says so."""

    name: str
    """Of the model."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user."""
        return (f"no boxes: {self.name} is not known to print any; give an open-vocabulary detector",)

    def find(self, view: View, frames: Sequence[int], words: Sequence[str], asked: Told = nothing) -> Noted:
        """As in `Grounder`."""
        return {}, self.notes


@dataclass(frozen=True, eq=False)
class OwnGrounder:
    """The boxes that the model prints itself, one prompt for each frame."""

    model: ChatModel

    def find(self, view: View, frames: Sequence[int], words: Sequence[str], asked: Told = nothing) -> Noted:
        """As in `Grounder`. Boxes have the score 1: a model prints none."""
        found: dict[int, dict[str, tuple[Box, ...]]] = {}
        notes: list[str] = []
        size = (view.clip.width, view.clip.height)
        most = min(MOST_TOKENS, TOKENS_PER_WORD * (1 + len(words)))
        for number in sorted(set(frames)) if words else ():
            for frame in view.frames([number]):
                reply = self.model.write(prompts.boxes(frame, words), most)
                asked()
                height, width = frame.image.shape[:2]
                shown = boxes_in(reply.text, (width, height), self.model.habits.boxes)
                notes += [*reply.notes, *shown.notes]
                if shown.points and not shown.boxes:
                    notes.append("the model pointed at places, which are no boxes")
                found[number], other = _by_word(shown.boxes, words, size)
                if other:
                    notes.append(f"{counted(other, 'box', 'boxes')} of other things than were asked for")
        return found, _each_once(notes)


@dataclass(frozen=True, eq=False)
class PhraseGrounder:
    """The boxes of an open-vocabulary detector, asked for each word."""

    detector: PhraseDetector
    cache: Path | None

    def find(self, view: View, frames: Sequence[int], words: Sequence[str], asked: Told = nothing) -> Noted:
        """As in `Grounder`."""
        notes: list[str] = []
        if isinstance(view.film, Video):
            found = find_phrases(view.film, frames, words, self.detector, self.cache, note=notes.append)
            by_frame = {frame: {word: found[word].get(frame, ()) for word in words} for frame in frames}
        else:  # a folder of frames, which are images already and are not cached
            by_frame = {
                frame: dict(zip(words, self.detector.find([image], words)[0], strict=True))
                for frame, image in view.film.frames(frames)
            }
            notes += self.detector.notes
        return by_frame, _each_once(notes)


@dataclass(frozen=True, eq=False)
class LabelGrounder:
    """The boxes of a detector with labels of its own, where a label has the word."""

    detector: RegionDetector
    cache: Path | None

    def find(self, view: View, frames: Sequence[int], words: Sequence[str], asked: Told = nothing) -> Noted:
        """As in `Grounder`."""
        regions, notes = self._regions(view, frames)
        found: dict[int, dict[str, tuple[Box, ...]]] = {}
        for frame, of_frame in regions.items():
            labels = [_parts(label) for label in of_frame.labels]
            corners = of_frame.boxes.tolist()
            found[frame] = {
                word: tuple(
                    _box(corners[i], word, float(of_frame.scores[i]))
                    for i, label in enumerate(labels)
                    if normalise_word(word) in label
                )
                for word in words
            }
        return found, _each_once([*notes, *detector_notes(self.detector)])

    def _regions(self, view: View, frames: Sequence[int]) -> tuple[dict[int, Regions], tuple[str, ...]]:
        """The regions of frames: cached for films, not for folders of frames."""
        path = view.film.path
        name = cache_name(self.detector)
        attributes = FeatureAttributes(regions=name, region_dim=self.detector.dim)
        cache = RegionCache(self.cache, attributes, fingerprint(path)) if path.is_file() else None
        known = cache.read() if cache else {}
        if missing := sorted(set(frames) - known.keys()):
            known |= dict(detect_frames(view.film, missing, self.detector))
            if cache:
                cache.keep(known)
        return {frame: known[frame] for frame in frames if frame in known}, cache.notes if cache else ()


def _by_word(
    boxes: Sequence[SeenBox], words: Sequence[str], size: tuple[int, int]
) -> tuple[dict[str, tuple[Box, ...]], int]:
    """Boxes in pixels of the film by the word that their label has, and how many have none of the words."""
    by_word: dict[str, list[Box]] = {word: [] for word in words}
    other = 0
    for box in boxes:
        label = _parts(box.label) if box.label or len(words) > 1 else {normalise_word(words[0])}
        fitting = [word for word in words if normalise_word(word) in label]
        other += not fitting
        sides = (side * length for side, length in zip(box.corners, size * 2, strict=True))
        left, top, right, bottom = sides
        for word in fitting:
            by_word[word].append(Box(left, top, right, bottom, word))
    return {word: tuple(found) for word, found in by_word.items()}, other


def _box(corners: Sequence[float], word: str, score: float) -> Box:
    left, top, right, bottom = corners
    return Box(left, top, right, bottom, word, score)


def _parts(label: str) -> set[str]:
    """The words of a label, and the label itself, as they are compared."""
    whole = normalise_word(label.strip())
    return {whole, *whole.replace("_", " ").replace("-", " ").split()}


def _each_once(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))
