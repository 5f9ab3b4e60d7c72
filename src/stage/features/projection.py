"""PCA of features, optionally whitened (the paper: regions to 300 dimensions)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from stage.errors import InputError
from stage.features.checks import all_finite
from stage.types import Array, Regions
from stage.wording import counted

if TYPE_CHECKING:
    from sklearn.decomposition import IncrementalPCA

WHITENING_FLOOR = 0.05
"""Fraction of the mean variance that is added to each component's, so that whitening doesn't amplify noise."""

ARRAYS_PER_PRODUCT = 512
"""Arrays (regions of a frame, words of a text) that are projected in one matrix product."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Principal component analysis: subtract the mean, project on the components."""

    mean: Array
    """(D,)"""
    components: Array
    """(dim, D) orthonormal; divided by their standard deviations if they whiten"""
    explained: float
    """Fraction of the variance that is kept."""

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(self.components)

    def apply(self, features: Array) -> Array:
        """(..., D) -> (..., dim)"""
        projected: Array = ((features - self.mean) @ self.components.T).astype(np.float32)
        return projected

    def apply_to_all(self, arrays: Sequence[Array]) -> list[Array]:
        """Like `apply`, but for many arrays (n, D), in few products: a long film has too many rows for one."""
        projected: list[Array] = []
        for first in range(0, len(arrays), ARRAYS_PER_PRODUCT):
            chunk = arrays[first : first + ARRAYS_PER_PRODUCT]
            ends = np.cumsum([len(array) for array in chunk])
            projected += np.split(self.apply(np.concatenate(chunk)), ends[:-1])
        return projected

    def to_arrays(self) -> dict[str, Array]:
        """For a file: mean, components, explained."""
        return {
            "mean": self.mean,
            "components": self.components,
            "explained": np.array([self.explained], np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Projection:
        """The inverse of `to_arrays`."""
        return cls(arrays["mean"], arrays["components"], float(arrays["explained"][0]))


@dataclass(frozen=True, slots=True)
class Projections:
    """How word vectors and region features are projected before a model reads them; None: they are not."""

    words: Projection | None = None
    regions: Projection | None = None

    def project_words(self, vectors: Sequence[Array]) -> list[Array]:
        """Project the word vectors of several texts, each (words, D)."""
        return self.words.apply_to_all(vectors) if self.words else list(vectors)

    def region_dim(self, detector_dim: int) -> int:
        """Size of a region's feature as a model reads it, for a detector with features of `detector_dim`."""
        return self.regions.dim if self.regions else detector_dim

    def project_regions(self, detected: Mapping[int, Regions], count: int) -> dict[int, Regions]:
        """The `count` best regions of each frame, their features projected. detected: numbered frame -> regions"""
        features = [regions.features[:count] for regions in detected.values()]
        if self.regions:
            features = self.regions.apply_to_all(features)
        return {
            frame: Regions(regions.boxes[:count], regions.scores[:count], projected, regions.labels[:count])
            for (frame, regions), projected in zip(detected.items(), features, strict=True)
        }

    def to_arrays(self) -> dict[str, Array]:
        """For a file: "words.mean", "words.components" and so on."""
        return {
            f"{field.name}.{name}": array
            for field in fields(self)
            if (projection := getattr(self, field.name)) is not None
            for name, array in projection.to_arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Projections:
        """The inverse of `to_arrays`."""

        def with_prefix(prefix: str) -> Projection | None:
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            return Projection.from_arrays(own) if own else None

        return cls(*(with_prefix(f"{field.name}.") for field in fields(cls)))


def fit_projection(batches: Iterable[Array], components: int, *, whiten: bool = False) -> Projection:
    """Fit a projection incrementally, on batches (n, D).

    whiten: scale the components to unit variance, except for WHITENING_FLOOR, so that one without variance stays 0.
    Raises InputError if there are too few vectors, they contain NaN or infinities, or all are equal.
    """
    from sklearn.decomposition import IncrementalPCA

    pca = IncrementalPCA(n_components=components)
    pending: list[Array] = []
    first: Array | None = None
    varied = False
    for batch in batches:
        if not all_finite(batch):
            raise InputError("features contain NaN or infinities; extract them again")
        first = batch[0] if first is None and len(batch) else first
        varied = varied or bool((batch != first).any())
        if batch.shape[1] < components:
            raise InputError(f"features have {batch.shape[1]} dimensions; ask for at most as many components")
        pending.append(batch)
        if sum(map(len, pending)) >= max(2048, 2 * components):
            _fit_more(pca, np.concatenate(pending))
            pending = []
    rest = np.concatenate(pending) if pending else np.zeros((0, 1), np.float32)
    if len(rest) >= components:
        _fit_more(pca, rest)
    if not hasattr(pca, "components_"):
        raise InputError(
            f"there are {counted(len(rest), 'vector')}, too few for {counted(components, 'component')}; use more "
            "clips or fewer components, or don't whiten"
        )
    if not varied:
        raise InputError(
            "all feature vectors are equal, so nothing can be told apart by them; extract them with other weights"
        )
    axes, variance = pca.components_, pca.explained_variance_
    if whiten:
        axes = axes / np.sqrt(variance + WHITENING_FLOOR * variance.mean())[:, None]
    return Projection(
        pca.mean_.astype(np.float32),
        axes.astype(np.float32),
        float(pca.explained_variance_ratio_.sum()),
    )


def _fit_more(pca: IncrementalPCA, vectors: Array) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of the variance, if there is none
        pca.partial_fit(vectors)
