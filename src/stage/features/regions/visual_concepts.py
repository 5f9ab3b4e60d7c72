"""Visual concepts: region features from label words (Lei et al., TVQA, 2018).

A model trained on visual concepts of one detector can be used with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stage.errors import InputError
from stage.features.names import VISUAL_CONCEPTS
from stage.features.protocols import RegionDetector, TextEncoder
from stage.types import Array, Image, Regions


class LabelFeatures:
    """Features of labels: the mean of the label's word vectors; zeros for a label without words."""

    def __init__(self, vectors: Callable[[str], Array], dim: int) -> None:
        """vectors: label -> (words, dim)"""
        self._vectors = vectors
        self._dim = dim
        self._cache: dict[str, Array] = {}

    @staticmethod
    def name_for(text_name: str) -> str:
        """The name of visual concepts computed with this text encoder, as in `RegionDetector.name`."""
        return f"{VISUAL_CONCEPTS}{text_name}"

    def features(self, labels: Sequence[str]) -> Array:
        """(len(labels), dim)"""
        for label in labels:
            if label not in self._cache:
                words = self._vectors(label)
                self._cache[label] = words.mean(axis=0) if len(words) else np.zeros(self._dim, np.float32)
        features = np.zeros((len(labels), self._dim), np.float32)
        for i, label in enumerate(labels):
            features[i] = self._cache[label]
        return features


class ConceptDetector:
    """A detector's regions with visual concepts as features: a `RegionDetector` whose name omits the detector's."""

    def __init__(self, detector: RegionDetector, encoder: TextEncoder) -> None:
        self.detector = detector
        self.encoder = encoder
        self.label_features = LabelFeatures(lambda label: encoder.encode([label])[0], encoder.dim)

    @property
    def name(self) -> str:
        return LabelFeatures.name_for(self.encoder.name)

    @property
    def cache_name(self) -> str:
        """Identifies the regions, too: a cache must not mix those of two detectors."""
        return f"{self.name}+{self.detector.name}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the detector, if it has any."""
        return tuple(getattr(self.detector, "notes", ()))

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """As in `RegionDetector`. Raises InputError if the detector predicts no labels."""
        detected = self.detector.detect(images)
        if any(len(regions) and not regions.labels for regions in detected):
            raise InputError(
                f"{self.detector.name}: predicts no labels, so there are no visual concepts; use another detector"
            )
        return [
            replace(regions, features=self.label_features.features(regions.labels)) for regions in detected
        ]
