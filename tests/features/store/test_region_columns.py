"""Regions of many frames in a few arrays."""

from __future__ import annotations

import numpy as np
import pytest

from stage.features.store.region_columns import RegionColumns
from stage.types import Regions


def test_regions_are_returned_as_they_were_put() -> None:
    columns = RegionColumns((1, 7, 13), dim=2)
    found = Regions(
        np.ones((3, 4), np.float32), np.full(3, 0.5, np.float32), np.eye(3, 2, dtype=np.float32), ("a",) * 3
    )
    columns.put(7, found)
    assert list(columns) == [7]
    for name in ("boxes", "scores", "features"):
        assert np.array_equal(getattr(columns[7], name), getattr(found, name))
        assert getattr(columns[7], name).dtype == np.float32
    assert columns[7].labels == found.labels
    with pytest.raises(KeyError):
        columns[1]
