"""Principal components of features: the paper takes those of regions from 2048 to 300 numbers. Whitened if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from stage.errors import InputError
from stage.types import Array, Regions

WHITENING_FLOOR = 0.05
"""Share of the mean variance that is added to each component's, so that what hardly varies is not blown up."""

ARRAYS_AT_ONCE = 512
"""Arrays that go through a projection as one product: regions of as many frames, words of as many texts."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Subtract the mean, then project on the components."""

    mean: Array
    """(D,)"""
    components: Array
    """(dim, D) orthonormal; each over its standard deviation if they whiten"""
    explained: float
    """Share of the variance that is kept."""

    @property
    def dim(self) -> int:
        return len(self.components)

    def apply(self, features: Array) -> Array:
        """(..., D) -> (..., dim)"""
        projected: Array = ((features - self.mean) @ self.components.T).astype(np.float32)
        return projected

    def apply_to_each(self, arrays: Sequence[Array]) -> list[Array]:
        """The same for many arrays (n, D), in few products: a long film has too many rows for one."""
        projected: list[Array] = []
        for first in range(0, len(arrays), ARRAYS_AT_ONCE):
            some = arrays[first : first + ARRAYS_AT_ONCE]
            ends = np.cumsum([len(array) for array in some])
            projected += np.split(self.apply(np.concatenate(some)), ends[:-1])
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


@dataclass(frozen=True, slots=True)
class Projections:
    """What word vectors and region features go through before a model reads them; none: nothing."""

    words: Projection | None = None
    regions: Projection | None = None

    def of_words(self, vectors: Sequence[Array]) -> list[Array]:
        """Word vectors of some texts, each (words, D)."""
        return self.words.apply_to_each(vectors) if self.words else list(vectors)

    def region_dim(self, found: int) -> int:
        """Size of a region's vector as a model reads it, where the detector gives `found` numbers."""
        return self.regions.dim if self.regions else found

    def of_regions(self, found: Mapping[int, Regions], count: int) -> dict[int, Regions]:
        """The `count` best regions of each frame."""
        features = [regions.features[:count] for regions in found.values()]
        if self.regions:
            features = self.regions.apply_to_each(features)
        return {
            frame: Regions(regions.boxes[:count], regions.scores[:count], mine, regions.labels[:count])
            for (frame, regions), mine in zip(found.items(), features, strict=True)
        }

    def to_arrays(self) -> dict[str, Array]:
        """Named "words.mean" and so on."""
        return {
            f"{field.name}.{name}": array
            for field in fields(self)
            if (projection := getattr(self, field.name)) is not None
            for name, array in projection.to_arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Projections:
        def named(kind: str) -> Projection | None:
            mine = {name.removeprefix(kind): a for name, a in arrays.items() if name.startswith(kind)}
            return Projection.from_arrays(mine) if mine else None

        return cls(*(named(f"{field.name}.") for field in fields(cls)))


def fit_projection(batches: Iterable[Array], components: int, *, whiten: bool = False) -> Projection:
    """Find the components a batch (n, D) at a time. Raises InputError if there is too little to find them in.

    whiten: scale them so that all vary by (almost) as much, WHITENING_FLOOR apart.
    """
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
            f"{len(rest)} vectors are too few for {components} components; use more clips or fewer components, "
            "or don't whiten"
        )
    found, variance = pca.components_, pca.explained_variance_
    if whiten:
        found = found / np.sqrt(variance + WHITENING_FLOOR * variance.mean())[:, None]
    return Projection(
        pca.mean_.astype(np.float32),
        found.astype(np.float32),
        float(pca.explained_variance_ratio_.sum()),
    )
