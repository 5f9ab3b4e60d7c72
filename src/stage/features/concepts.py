"""Visual concepts: a region is described by the words of its label, as in TVQA (Lei et al., 2018).

A model trained so with one detector can be used with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stage.types import Array


class ConceptRegions:
    """Labels to features: the mean of the label's word vectors."""

    def __init__(self, vectors: Callable[[str], Array]) -> None:
        """vectors: label -> (words, dim)"""
        self._vectors = vectors
        self._known: dict[str, Array] = {}

    @staticmethod
    def name_for(text_name: str) -> str:
        """What features made with a text encoder are called."""
        return f"concepts:{text_name}"

    def features(self, labels: Sequence[str]) -> Array:
        """(labels, dim)"""
        for label in labels:
            if label not in self._known:
                self._known[label] = self._vectors(label).mean(axis=0)
        if not labels:
            return np.zeros((0, 0), np.float32)
        return np.stack([self._known[label] for label in labels])
