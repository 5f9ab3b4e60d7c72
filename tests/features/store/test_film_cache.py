"""A damaged cache costs time, never an answer: it is made anew, with a note."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from stage.features.protocols import FeatureAttributes
from stage.features.store.film_cache import RegionCache
from stage.types import Regions

ATTRIBUTES = FeatureAttributes("words", 4, "detector", 8)
MUTATIONS = 150


def regions(dim: int = 8) -> dict[int, Regions]:
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return rng.random(shape).astype(np.float16).astype(np.float32)

    return {frame: Regions(floats(3, 4), floats(3), floats(3, dim), ("a", "b", "c")) for frame in (1, 7, 13)}


@pytest.fixture
def cached(tmp_path: Path) -> list[Path]:
    """The files of a cache of one film."""
    RegionCache(tmp_path, ATTRIBUTES, "film").keep(regions())
    return sorted(path for path in tmp_path.rglob("*") if path.is_file())


def is_whole(found: dict[int, Regions]) -> bool:
    return found.keys() == regions().keys() and all(
        np.array_equal(found[frame].features, of_frame.features)
        and np.array_equal(found[frame].boxes, of_frame.boxes)
        and found[frame].labels == of_frame.labels
        for frame, of_frame in regions().items()
    )


def test_whatever_was_damaged_is_noted_and_made_anew(cached: list[Path], tmp_path: Path) -> None:
    whole = {path: path.read_bytes() for path in cached}
    for seed in range(MUTATIONS):
        draw = random.Random(seed)
        path = draw.choice(cached)
        raw = bytearray(whole[path])
        place = draw.randrange(len(raw))
        match draw.randrange(4):
            case 0:
                raw[place] = draw.randrange(256)
            case 1:
                raw[place : place + 8] = bytes([draw.choice((0, 127, 255))] * 8)
            case 2:
                del raw[place:]
            case 3:
                raw[place:place] = draw.choice((b"[" * 9000, b"9" * 5000, b"null"))
        path.write_bytes(raw)
        cache = RegionCache(tmp_path, ATTRIBUTES, "film")
        found = cache.read()
        assert is_whole(found) or (not found and "is damaged, and made anew" in " ".join(cache.notes))
        cache.keep(regions())
        again = RegionCache(tmp_path, ATTRIBUTES, "film")
        assert is_whole(again.read())
        assert not again.notes


def test_features_of_another_size_are_damage(cached: list[Path], tmp_path: Path) -> None:
    other = RegionCache(tmp_path / "other", FeatureAttributes("words", 4, "detector", 5), "film")
    other.keep(regions(5))
    (foreign,) = (tmp_path / "other").rglob("*.safetensors")
    foreign.replace(next(path for path in cached if path.suffix == foreign.suffix))
    cache = RegionCache(tmp_path, ATTRIBUTES, "film")
    assert cache.read() == {}
    assert "made anew" in cache.notes[0]
