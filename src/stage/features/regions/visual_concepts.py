"""Visual concepts: a region is described by the words of its label, as in TVQA (Lei et al., 2018).

A model trained so with one detector can be used with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stage.errors import InputError
from stage.features.names import VISUAL_CONCEPTS
from stage.features.protocols import RegionDetector, TextEncoder
from stage.types import Array, Image, Regions


class ConceptRegions:
    """Labels to features: the mean of the label's word vectors; zeros for a label without words."""

    def __init__(self, vectors: Callable[[str], Array], dim: int) -> None:
        """vectors: label -> (words, dim)"""
        self._vectors = vectors
        self._dim = dim
        self._known: dict[str, Array] = {}

    @staticmethod
    def name_for(text_name: str) -> str:
        """What features made with a text encoder are called."""
        return f"{VISUAL_CONCEPTS}{text_name}"

    def features(self, labels: Sequence[str]) -> Array:
        """(labels, dim)"""
        for label in labels:
            if label not in self._known:
                words = self._vectors(label)
                self._known[label] = words.mean(axis=0) if len(words) else np.zeros(self._dim, np.float32)
        found = np.zeros((len(labels), self._dim), np.float32)
        for i, label in enumerate(labels):
            found[i] = self._known[label]
        return found


class ConceptDetector:
    """A detector's regions, described by their labels: a `RegionDetector` whose name says nothing of the detector."""

    def __init__(self, detector: RegionDetector, encoder: TextEncoder) -> None:
        self.detector = detector
        self.encoder = encoder
        self.concepts = ConceptRegions(lambda label: encoder.encode([label])[0], encoder.dim)

    @property
    def name(self) -> str:
        return ConceptRegions.name_for(self.encoder.name)

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """Raises InputError if the detector does not name what it finds."""
        found = self.detector.detect(images)
        if any(len(regions) and not regions.labels for regions in found):
            raise InputError(
                f"{self.detector.name}: gives no labels, so there are no visual concepts; use another"
            )
        return [replace(regions, features=self.concepts.features(regions.labels)) for regions in found]
