"""Similarity of texts: vectors of words, labels and sentences by the packaged MiniLM"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from stage.types import Array

TEMPLATE = "a photo of a {}"
"""What a word or label is put into, so that vectors are of things that are seen, and of no other meaning."""


class SentenceEncoder(Protocol):
    """Encodes texts as wholes."""

    def sentences(self, texts: Sequence[str]) -> Array:
        """A vector of unit length for each text: (texts, dim)."""


class Lexicon:
    """The vectors of texts, each computed once."""

    def __init__(self, encoder: SentenceEncoder | None = None) -> None:
        """encoder: by default the packaged MiniLM, which is loaded when it is first needed."""
        self._given = encoder
        self._known: dict[str, Array] = {}

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        if self._given is not None:
            return self._given
        from stage.features.text.minilm import MiniLm

        return MiniLm.packaged()

    def sentences(self, texts: Sequence[str]) -> Array:
        """The vectors of texts: (texts, dim), (0, 0) if there are none."""
        if missing := sorted(set(texts) - self._known.keys()):
            self._known.update(zip(missing, self._encoder.sentences(missing), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)

    def things(self, words: Sequence[str]) -> Array:
        """The vectors of words and labels, as things in a photo: (words, dim)."""
        return self.sentences([TEMPLATE.format(word) for word in words])

    def likeness(self, labels: Sequence[str]) -> Callable[[Sequence[str]], Array]:
        """How alike words are to these labels, as a function of words: (words, labels).

        It is the mean of their cosines alone and as things in a photo. Alone, "man" and "person" are far apart; in a
        photo, "camera" and "person" are near.
        """
        in_photo, alone = self.things(labels).T, self.sentences(labels).T

        def of(words: Sequence[str]) -> Array:
            if not words or not labels:
                return np.zeros((len(words), len(labels)), np.float32)
            return np.asarray((self.things(words) @ in_photo + self.sentences(words) @ alone) / 2, np.float32)

        return of

    def cosines(self, texts: Sequence[str], others: Sequence[str]) -> Array:
        """(texts, others)"""
        if not texts or not others:
            return np.zeros((len(texts), len(others)), np.float32)
        return np.asarray(self.sentences(texts) @ self.sentences(others).T, np.float32)
