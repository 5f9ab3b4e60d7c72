"""Principal components of region features (the paper goes from 2048 to 300 numbers)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from stage.errors import InputError
from stage.types import Array


@dataclass(frozen=True, slots=True)
class Projection:
    """Subtract the mean, then project on the components."""

    mean: Array
    """(D,)"""
    components: Array
    """(dim, D)"""
    explained: float
    """Share of the variance that is kept."""

    @property
    def dim(self) -> int:
        return len(self.components)

    def apply(self, features: Array) -> Array:
        """(..., D) -> (..., dim)"""
        projected: Array = ((features - self.mean) @ self.components.T).astype(np.float32)
        return projected

    def to_arrays(self) -> dict[str, Array]:
        return {
            "mean": self.mean,
            "components": self.components,
            "explained": np.array([self.explained], np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Projection:
        return cls(arrays["mean"], arrays["components"], float(arrays["explained"][0]))


def fit_pca(batches: Iterable[Array], components: int) -> Projection:
    """Find the components a batch (n, D) at a time. Raises InputError if there is too little to find them in."""
    from sklearn.decomposition import IncrementalPCA

    pca = IncrementalPCA(n_components=components)
    waiting: list[Array] = []
    for batch in batches:
        if batch.shape[1] < components:
            raise InputError(f"features have {batch.shape[1]} numbers; ask for that many components or fewer")
        waiting.append(batch)
        if sum(map(len, waiting)) >= max(2048, 2 * components):
            pca.partial_fit(np.concatenate(waiting))
            waiting = []
    rest = np.concatenate(waiting) if waiting else np.zeros((0, 1), np.float32)
    if len(rest) >= components:
        pca.partial_fit(rest)
    if not hasattr(pca, "components_"):
        raise InputError(
            f"{len(rest)} regions are too few for {components} components; use more clips or fewer"
        )
    return Projection(
        pca.mean_.astype(np.float32),
        pca.components_.astype(np.float32),
        float(pca.explained_variance_ratio_.sum()),
    )
