"""Where the vectors of a data set come from: one interface for every layout on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from stage.features.store import FeatureAttributes
from stage.types import Array, Clip, Question, Regions


class FeatureSource(Protocol):
    """Vectors of words and regions. Each method raises InputError naming what is missing."""

    @property
    def attributes(self) -> FeatureAttributes:
        """Which encoders the vectors are of, and their sizes."""

    def hypotheses(self, question: Question) -> list[Array]:
        """For each candidate, the words of question and answer: (words, D_text)."""

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """For each sentence of a clip: (words, D_text)."""

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """Numbered frame -> its regions, best first, of those of `frames` that there are."""
