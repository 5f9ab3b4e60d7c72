"""Matching words and texts with what is seen and said in each frame"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stage.annotation.vocabulary import normalise_word
from stage.features.protocols import ImageTextEncoder
from stage.types import Array, Box
from stage.zero_shot.colours import NAMES, PARTS, part_rows
from stage.zero_shot.lexicon import Lexicon
from stage.zero_shot.view import View
from stage.zero_shot.words import PERSON, Word

Mask = npt.NDArray[np.bool_]
PART_NUMBER = {part: number for number, part in enumerate(PARTS)}
AS_GOOD = 0.85
"""A label is what a word names only if its cosine is at least this share of that of the best label in the film."""


@dataclass(frozen=True, eq=False)
class Matcher:
    """A view that texts are held against. Curves are arrays over its T frames."""

    view: View
    lexicon: Lexicon
    same_thing: float
    """The cosine from which on a label is taken to be what a word names."""
    encoder: ImageTextEncoder | None = None
    """That of the view's image vectors."""
    _strengths: dict[tuple[str, ...], Array] = field(default_factory=dict)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The view's labels, normalised."""
        return tuple(normalise_word(label) for label in self.view.labels)

    @cached_property
    def has_people(self) -> bool:
        """Whether the detector has found people."""
        return PERSON in self.labels

    @cached_property
    def _alike(self) -> Callable[[Sequence[str]], Array]:
        return self.lexicon.likeness(self.labels)

    def strength(self, word: Word) -> Array:
        """How well each of the view's labels names what a word does, 0 if it doesn't: (labels,)."""
        if word.forms not in self._strengths:
            alike = self._alike(word.forms).max(0, initial=0.0)
            if word.is_person and self.has_people:
                alike[:] = 0.0  # a word for people is none of another thing
                alike[self.labels.index(PERSON)] = 1.0
            alike[[label in word.forms for label in self.labels]] = 1.0
            least = max(self.same_thing, AS_GOOD * float(alike.max(initial=0)))
            self._strengths[word.forms] = np.where(alike >= least, alike, 0).astype(np.float32)
        return self._strengths[word.forms]

    def region_scores(self, word: Word) -> Array:
        """How well each labelled region shows what a word names, in [0, 1]: (R,)."""
        return np.asarray(self.strength(word)[self.view.kind] * self.view.scores, np.float32)

    def seen(self, words: Sequence[Word]) -> Array:
        """How well words are seen in each frame, in [0, 1]: (words, T)."""
        if not words:
            return np.zeros((0, len(self.view.frames)), np.float32)
        by_label = self.view.highest(np.stack([self.region_scores(word) for word in words]))
        if self.view.find is None:
            return by_label
        found = self.view.find([form for word in words for form in word.forms])
        by_phrase = [
            [
                max((box.score for form in word.forms for box in found[form].get(frame, ())), default=0.0)
                for frame in self.view.frames
            ]
            for word in words
        ]
        return np.maximum(by_label, np.array(by_phrase, np.float32))

    def visible(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words that are seen somewhere in the film, or are worn, where people are."""
        seen = self.seen(words)
        return tuple(
            w for w, curve in zip(words, seen, strict=True) if curve.any() or (w.part and self.has_people)
        )

    @property
    def recognises(self) -> bool:
        """Whether there is a detector, or anything that one has found."""
        return bool(self.labels) or self.view.find is not None

    def is_guessed(self, word: Word) -> bool:
        """Whether a word is what people wear and no label names: its boxes are parts of people."""
        if not word.part or self.strength(word).any():
            return False
        found = {} if self.view.find is None else self.view.find(word.forms)
        return not any(found[form] for form in found)

    def boxes(self, word: Word, position: int) -> tuple[Box, ...]:
        """Where a word is seen in the frame at this position, best first.

        What people wear and no label names is in the part of a person that shows it.
        """
        view, part = self.view, None
        looked_for = word
        if word.part and not self.strength(word).any():
            looked_for, part = Word(word.text, (PERSON,)), word.part
        rows = np.arange(*np.searchsorted(view.owner, [position, position + 1]))
        scores = self.strength(looked_for)[view.kind[rows]] * view.scores[rows]
        boxes = [
            _box(self._part(view.boxes[rows[i]].tolist(), part), word.text, float(scores[i]))
            for i in np.flatnonzero(scores > 0)
        ]
        if view.find is not None:
            found = view.find(word.forms)
            boxes += [
                _box(box.corners, word.text, box.score)
                for form in word.forms
                for box in found[form].get(view.frames[position], ())
            ]
        return tuple(sorted(boxes, key=lambda box: -box.score))

    def _part(self, corners: Sequence[float], part: str | None) -> Sequence[float]:
        """A part of a region; all of it if that is cut off."""
        top, bottom = part_rows(corners, part or "whole", self.view.clip.height)
        return (corners[0], top, corners[2], bottom) if bottom > top else corners

    @property
    def usual_colours(self) -> Array:
        """The mean share of each colour in the film's frames: (names,)."""
        colours = self.view.frame_colours
        return np.zeros(len(NAMES), np.float32) if colours is None else np.asarray(colours.mean(0))

    def colours(self, word: Word | None, side: str | None = None) -> Array | None:
        """The shares of colours where a word is seen: (T, names), zeros where it isn't; None if pixels are not known.

        It is looked for where its own label is; what people wear, in the part of a person that shows it; what no
        label names, in the frame as a whole. side: "left" or "right" takes the outermost such region alone.
        """
        view = self.view
        if word is not None and view.colours is not None:
            scores, part = self.region_scores(word), "whole"
            if not scores.any() and word.part:
                scores, part = self.region_scores(Word(PERSON, (PERSON,))), word.part
            if side:
                scores = np.where(self._outermost(scores > 0, side), scores, 0)
            if scores.any():
                shares = view.colours.reshape(-1, len(PARTS), len(NAMES))[:, PART_NUMBER[part]]
                total = np.zeros((len(view.frames), 1), np.float32)
                summed = np.zeros((len(view.frames), len(NAMES)), np.float32)
                np.add.at(total, view.owner, scores[:, None])
                np.add.at(summed, view.owner, shares * scores[:, None])
                return np.asarray(summed / np.where(total > 0, total, 1), np.float32)
        return view.frame_colours

    def _outermost(self, which: Mask, side: str) -> Mask:
        """Whether each region is the outermost on a side among `which` of its frame: (R,)."""
        middles = (self.view.boxes[:, 0] + self.view.boxes[:, 2]) / 2
        far = np.where(which, middles if side == "right" else -middles, -np.inf)
        best = np.full(len(self.view.frames), -np.inf)
        np.maximum.at(best, self.view.owner, far)
        return np.asarray(which & (far == best[self.view.owner]))

    def said(self, texts: Sequence[str]) -> Array:
        """The highest cosine of each text with a sentence that is said near each frame, 0 without one: (texts, T)."""
        sentences = self.view.clip.sentences
        curves = np.zeros((len(texts), len(self.view.frames)), np.float32)
        if sentences and texts:
            cosines = self.lexicon.cosines(texts, [sentence.text for sentence in sentences])
            for t, near in enumerate(self.view.said):
                if near:
                    curves[:, t] = cosines[:, list(near)].max(1)
        return curves

    def scenes(self, texts: Sequence[str]) -> Array:
        """The cosine of each text with all that is seen in each frame together: (texts, T).

        A frame's vector is the sum of those of its labels, weighed by their scores, and by how rare they are in the
        film: what is seen everywhere tells nothing of a moment.
        """
        view = self.view
        count = len(view.frames)
        if not view.labels or not texts:
            return np.zeros((len(texts), count), np.float32)
        best = np.zeros((count, len(view.labels)), np.float32)
        np.maximum.at(best, (view.owner, view.kind), view.scores)
        rarity = np.log((1 + count) / (1 + (best > 0).sum(0))) + 0.1
        scene = (best * rarity) @ self.lexicon.things(view.labels)
        lengths = np.linalg.norm(scene, axis=1, keepdims=True)
        unit = scene / np.where(lengths > 0, lengths, 1)
        return np.asarray(self.lexicon.sentences(texts) @ unit.T, np.float32)

    def pictures(self, texts: Sequence[str]) -> Array | None:
        """The cosine of each text with each frame's picture by the image-text encoder: (texts, T); None without."""
        if self.encoder is None or self.view.image_vectors is None:
            return None
        return np.asarray(self.encoder.texts(texts) @ self.view.image_vectors.T, np.float32)


def _box(corners: Sequence[float], label: str, score: float) -> Box:
    left, top, right, bottom = corners
    return Box(left, top, right, bottom, label, score)
