"""Whatever happens to the files of a store: the right values, or an InputError."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import FilmRecord
from stage.types import Regions

ATTRIBUTES = FeatureAttributes("words@1", 4, "regions@1", 3)
FILM = FilmRecord("f" * 32, 1000, 123456789, 13, 1920, 1080)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def regions(count: int) -> Regions:
    rng = np.random.default_rng(count)
    return Regions(
        rng.uniform(0, 300, (count, 4)).astype(np.float32),
        rng.uniform(size=count).astype(np.float32),
        rng.normal(size=(count, 3)).astype(np.float16).astype(np.float32),
        tuple(f"thing{i}" for i in range(count)),
    )


FIELDS = st.sampled_from(["format", "text", "text_dim", "regions", "region_dim", "found_by"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(FIELDS | st.text(), inner),
) | st.dictionaries(FIELDS, st.integers(0, 3) | st.text()).map(lambda fields: {**fields, "format": 2})
WRITTEN = {1: regions(2), 7: regions(0), 13: regions(4)}
WORDS = {"one two": np.ones((2, 4), np.float32), "three": np.full((1, 4), 3, np.float32)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    store = FeatureStore.create(folder, ATTRIBUTES)
    store.put_clip("clip", WRITTEN, FILM)
    store.put_texts(WORDS)
    return folder


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Truncation, other bytes at several places, bytes that are taken out or put in."""
    kind = draw(st.sampled_from(["cut", "overwrite", "remove", "insert"]))
    places = draw(
        st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3)
    )

    def apply(raw: bytes) -> bytes:
        for share, content in places:
            at = min(int(share * len(raw)), max(len(raw) - 1, 0))
            if kind == "cut":
                raw = raw[:at]
            elif kind == "overwrite":
                raw = (raw[:at] + content + raw[at + len(content) :])[: len(raw)]
            else:
                raw = raw[:at] + (content if kind == "insert" else b"") + raw[at + (kind == "remove") :]
        return raw

    return apply


def damaged(folder: Path, pattern: str, change: Callable[[bytes], bytes]) -> Path:
    copy = folder.parent / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    [path] = copy.glob(pattern)
    path.write_bytes(change(path.read_bytes()))
    return copy


@given(damage())
@SLOW
def test_a_damaged_clip_is_an_error_or_right_but_for_the_features(
    folder: Path, change: Callable[[bytes], bytes]
) -> None:
    store = FeatureStore.open(damaged(folder, "clips/*", change))
    try:
        film, found = store.film("clip"), store.clip("clip")
        read = found.at(found)
    except InputError:
        return
    assert film == FILM
    assert read.keys() == WRITTEN.keys()
    for frame, regions_ in WRITTEN.items():
        assert np.array_equal(read[frame].boxes, regions_.boxes)
        assert np.array_equal(read[frame].scores, regions_.scores)
        assert read[frame].labels == regions_.labels
        assert np.isfinite(read[frame].features).all()
    if any(not np.array_equal(read[frame].features, WRITTEN[frame].features) for frame in WRITTEN):
        with pytest.raises(InputError, match="features differ from those that were written"):
            store.check_digests(["clip"])


@given(damage())
@SLOW
def test_damaged_word_vectors_are_an_error_or_belong_to_their_texts(
    folder: Path, change: Callable[[bytes], bytes]
) -> None:
    store = FeatureStore.open(damaged(folder, "texts/*", change))
    try:
        read = dict(zip(WORDS, store.texts(WORDS), strict=True))
    except InputError:
        return
    assert {text: vectors.shape for text, vectors in read.items()} == {"one two": (2, 4), "three": (1, 4)}
    if any(not np.array_equal(read[text], WORDS[text]) for text in WORDS):
        with pytest.raises(InputError, match="vectors differ from those that were written"):
            store.check_digests([])


@given(damage())
@SLOW
def test_damaged_attributes_are_an_error_or_describe_features(
    folder: Path, change: Callable[[bytes], bytes]
) -> None:
    copy = damaged(folder, "attributes.json", change)
    try:
        attributes = FeatureStore.open(copy).attributes
    except InputError:
        return
    assert isinstance(attributes.text, str)
    assert isinstance(attributes.regions, str)
    assert attributes.found_by in ("text", "name")
    if attributes.region_dim != 3:
        with pytest.raises(InputError, match="its features have 3 values"):
            FeatureStore.open(copy).clip("clip")
    if attributes.text_dim != 4:
        with pytest.raises(InputError, match=r"its vectors are of shape \(3, 4\)"):
            FeatureStore.open(copy).text("three")


def as_earlier(folder: Path, kept: dict[str, tuple[str, ...]]) -> Path:
    """A copy with the metadata that earlier versions wrote."""
    copy = folder.parent / "earlier"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    for kind, names in kept.items():
        [path] = (copy / kind).iterdir()
        with safe_open(path, "np") as file:
            metadata = file.metadata()
        arrays = load_file(path)
        save_file(arrays, path, {name: metadata[name] for name in names})
    return copy


EARLIER = {"clips": ("labels",), "texts": ("keys", "lengths")}


def test_stores_of_earlier_versions_are_read(folder: Path) -> None:
    store = FeatureStore.open(as_earlier(folder, EARLIER))
    assert store.film("clip") is None
    found = store.clip("clip")
    assert all(np.array_equal(found[frame].features, WRITTEN[frame].features) for frame in WRITTEN)
    assert found[13].labels == WRITTEN[13].labels
    assert np.array_equal(store.text("three"), WORDS["three"])
    store.check_digests(["clip"])
    assert store.fingerprint(["clip"]) == FeatureStore.open(store.folder).fingerprint(["clip"])


@given(damage())
@SLOW
def test_damaged_files_of_earlier_versions_are_an_error_or_of_the_right_shape(
    folder: Path, change: Callable[[bytes], bytes]
) -> None:
    earlier = as_earlier(folder, EARLIER)
    for pattern in ("clips/*", "texts/*"):
        store = FeatureStore.open(damaged(earlier, pattern, change))
        try:
            found, vectors = store.clip("clip"), store.texts(["three"])
            read = found.at(found)
        except InputError:
            continue
        assert vectors[0].shape[1:] == (4,)
        for frame_regions in read.values():
            rows = len(frame_regions)
            assert frame_regions.boxes.shape == (rows, 4)
            assert frame_regions.features.shape == (rows, 3)
            assert len(frame_regions.labels) in (0, rows)
            assert np.isfinite(frame_regions.boxes).all()


@given(JSON)
@SLOW
def test_attributes_of_any_content_are_an_error_or_describe_features(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    folder = tmp_path_factory.mktemp("attributes")
    (folder / "attributes.json").write_text(json.dumps(content), "utf-8")
    try:
        attributes = FeatureStore.open(folder).attributes
    except InputError:
        return
    assert isinstance(attributes.text, str)
    assert isinstance(attributes.text_dim, int)
