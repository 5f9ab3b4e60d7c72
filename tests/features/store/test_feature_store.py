"""The store gives back what it got, whatever happens to its writers."""

from __future__ import annotations

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.features.store.tensor_file import OPEN_FILES
from stage.types import Regions

MANY = OPEN_FILES + 50
ATTRIBUTES = FeatureAttributes("words@1", 4, "regions@1", 3)


def test_words_and_regions_are_added_to_a_store_one_after_the_other(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, FeatureAttributes(text="a@1", text_dim=3))
    FeatureStore.create(tmp_path, FeatureAttributes(regions="b@1", region_dim=5))
    assert FeatureStore.open(tmp_path).attributes == FeatureAttributes("a@1", 3, "b@1", 5)
    with pytest.raises(InputError, match="a@1"):
        FeatureStore.create(tmp_path, FeatureAttributes(text="c@1", text_dim=3))


def regions(count: int) -> Regions:
    rng = np.random.default_rng(count)
    return Regions(
        rng.uniform(0, 300, (count, 4)).astype(np.float32),
        rng.uniform(size=count).astype(np.float32),
        rng.normal(size=(count, 3)).astype(np.float32),
        tuple(f"thing{i}" for i in range(count)),
    )


def test_a_store_gives_back_what_it_got(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path / "s", ATTRIBUTES)
    store.put_clip("clip", {1: regions(2), 7: regions(0), 13: regions(5)})
    words = {"hello there": np.ones((2, 4), np.float32), "": np.zeros((0, 4), np.float32)}
    store.put_texts(words)
    again = FeatureStore.open(tmp_path / "s")
    assert again.attributes == ATTRIBUTES
    found = again.clip("clip")
    assert list(found) == [1, 7, 13]
    assert found[13].labels == regions(5).labels
    assert np.array_equal(found[13].boxes, regions(5).boxes)
    assert np.allclose(found[13].features, regions(5).features, atol=2e-3)
    assert len(found[7]) == 0
    assert again.text("hello there").tolist() == [[1.0] * 4] * 2
    assert again.has_text("")


def test_threads_that_write_texts_to_one_store_lose_none(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, ATTRIBUTES)
    shared = FeatureStore.open(tmp_path)

    def write(writer: int) -> None:
        store = shared if writer % 2 else FeatureStore.open(tmp_path)
        for i in range(40):
            store.put_texts({f"{writer} {i}": np.full((1, 4), writer, np.float32)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    texts = [(writer, f"{writer} {i}") for writer in range(8) for i in range(40)]
    assert len(list((tmp_path / "texts").iterdir())) == len(texts)
    again = FeatureStore.open(tmp_path)
    assert [again.text(key)[0, 0] for _, key in texts] == [writer for writer, _ in texts]
    assert all(shared.has_text(key) for writer, key in texts if writer % 2)


def test_threads_that_index_one_store_at_the_same_time_lose_none(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, ATTRIBUTES)
    for round_ in range(20):  # the index is read with the first text that is written
        store, together = FeatureStore.open(tmp_path), Barrier(4)

        def write(key: str, store: FeatureStore = store, together: Barrier = together) -> None:
            together.wait()
            store.put_texts({key: np.ones((1, 4), np.float32)})

        keys = [f"{round_} {i}" for i in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, keys))
        assert all(map(store.has_text, keys))


def test_files_of_a_killed_writer_are_not_read(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    store.put_clip("whole", {1: regions(1)})
    (tmp_path / "clips" / ".broken.npz.123.partial").write_bytes(b"half of it")
    assert not store.has_clip("broken")
    with pytest.raises(InputError, match="broken"):
        store.clip("broken")


def test_features_of_other_encoders_are_refused_with_both_names(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, ATTRIBUTES)
    with pytest.raises(InputError, match=r"words@1.*words@2"):
        FeatureStore.create(tmp_path, FeatureAttributes("words@2", 4, "regions@1", 3))


def test_more_files_than_a_process_may_open_are_read(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    for i in range(MANY):
        store.put_texts({f"text {i}": np.full((1, 4), i, np.float32)})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + OPEN_FILES + 8, limits[1]))
    try:
        found = FeatureStore.open(tmp_path).texts(f"text {i}" for i in range(MANY))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [v[0, 0] for v in found] == list(range(MANY))
