"""Principal components keep what varies."""

from __future__ import annotations

import numpy as np
import pytest

from stage.errors import InputError
from stage.features.projection import (
    ARRAYS_PER_PRODUCT,
    WHITENING_FLOOR,
    Projection,
    Projections,
    fit_projection,
)


def test_principal_components_keep_what_varies() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(3000, 2)).astype(np.float32)
    features = hidden @ rng.normal(size=(2, 8)).astype(np.float32) + 5
    projection = fit_projection([features[:1000], features[1000:]], 2)
    assert projection.explained == pytest.approx(1.0, abs=1e-4)
    back = projection.apply(features) @ projection.components + projection.mean
    assert np.allclose(back, features, atol=1e-3)
    again = Projection.from_arrays(projection.to_arrays())
    assert np.array_equal(again.apply(features), projection.apply(features))


def test_whitened_vectors_have_unit_variance_except_where_there_is_hardly_any() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(4000, 6)) * [30, 10, 3, 1, 1, 1e-6]).astype(np.float32)
    mixed = features @ np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32) + 7
    plain, white = (fit_projection([mixed], 6, whiten=w).apply(mixed) for w in (False, True))
    assert plain.std(0)[0] / plain.std(0)[4] > 25
    assert np.allclose(white.mean(0), 0, atol=1e-3)
    share = features.var(0) / features.var(0).mean()
    assert np.allclose(white.std(0), np.sqrt(share / (share + WHITENING_FLOOR)), atol=0.01)
    assert white.std(0)[5] < 1e-3


def test_projections_of_words_and_regions_are_kept_apart() -> None:
    rng = np.random.default_rng(0)
    words, regions = (
        fit_projection([rng.normal(size=(50, d)).astype(np.float32)], d, whiten=True) for d in (4, 3)
    )
    for through in (
        Projections(words, regions),
        Projections(regions=regions),
        Projections(words),
        Projections(),
    ):
        again = Projections.from_arrays(through.to_arrays())
        assert (again.words is None, again.regions is None) == (
            through.words is None,
            through.regions is None,
        )
        text = rng.normal(size=(7, 4)).astype(np.float32)
        both = through.project_words([text, text[:2]])
        assert [len(v) for v in both] == [7, 2]
        assert np.array_equal(again.project_words([text])[0], both[0])
        assert np.array_equal(again.project_words([text])[0], text) == (through.words is None)


def test_many_arrays_are_projected_in_chunks_and_in_order() -> None:
    rng = np.random.default_rng(0)
    projection = fit_projection([rng.normal(size=(50, 4)).astype(np.float32)], 3)
    arrays = [rng.normal(size=(n % 4, 4)).astype(np.float32) for n in range(2 * ARRAYS_PER_PRODUCT + 5)]
    together = projection.apply_to_all(arrays)
    assert [len(t) for t in together] == [len(a) for a in arrays]
    assert all(np.allclose(t, projection.apply(a), atol=1e-5) for t, a in zip(together, arrays, strict=True))
    assert projection.apply_to_all([]) == []


def test_more_components_than_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match="8 dimensions"):
        fit_projection([np.zeros((100, 8), np.float32)], 9)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, 300.0])
def test_equal_vectors_are_refused(whiten: bool, value: float) -> None:
    with pytest.raises(InputError, match="all feature vectors are equal"):
        fit_projection([np.full((3000, 4), value, np.float32)] * 2, 4, whiten=whiten)


@pytest.mark.parametrize("whiten", [False, True])
def test_a_component_without_variance_stays_zero(whiten: bool) -> None:
    features = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    features[:, 2] = 7
    projected = fit_projection([features], 4, whiten=whiten).apply(features)
    assert np.isfinite(projected).all()
    assert (projected.std(0) > 0.5).sum() == 3
    assert projected.std(0).min() < 1e-3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(value: float) -> None:
    features = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    features[2900, 1] = value
    with pytest.raises(InputError, match="contain NaN or infinities"):
        fit_projection([features], 2, whiten=True)
