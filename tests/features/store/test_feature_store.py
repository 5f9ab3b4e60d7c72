"""The store gives back what it got, whatever happens to its writers."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import FilmRecord
from stage.features.store.tensor_file import OPEN_FILES
from stage.types import Clip, Regions

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


@pytest.mark.parametrize(
    "name", ["../../../escaped", "/tmp/escaped", "a/b", "..", "", "a\0b", "\ud83d", "a" * 300]
)
def test_a_clip_s_name_does_not_lead_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = FeatureStore.create(tmp_path / "a" / "b" / "store", ATTRIBUTES)
    before = sorted(tmp_path.rglob("*"))
    for use in (
        lambda: store.put_clip(name, {1: regions(2)}),
        lambda: store.has_clip(name),
        lambda: store.clip(name),
        lambda: store.film(name),
        lambda: store.remove_clip(name),
        lambda: store.fingerprint([name]),
    ):
        with pytest.raises(InputError, match="rename it"):
            use()
    assert sorted(tmp_path.rglob("*")) == before


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


FILM = FilmRecord("f" * 32, 1000, 123456789, 13, 1920, 1080)
CLIP = Clip("clip", 30)


def test_the_store_knows_which_frames_a_detector_has_seen(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path / "data" / "features", FeatureAttributes("", 0, "stage@1", 3))
    store.put_clip("clip", {1: regions(2), 7: regions(0)})
    assert {frame: len(found) for frame, found in store.regions(CLIP, [7, 1]).items()} == {1: 2, 7: 0}
    assert list(store.all_regions(CLIP)) == [1, 7]
    with pytest.raises(
        InputError, match=rf"no regions of frame 13 of clip clip.*`stage features all {tmp_path}/data`$"
    ):
        store.regions(CLIP, [1, 7, 13])
    with pytest.raises(InputError, match=r"frames 13, 19, 25, 31, 37 and 2 more of clip clip"):
        store.regions(CLIP, range(1, 50, 6))


@pytest.mark.parametrize(
    ("folder", "attributes", "command"),
    [
        ("d/features", FeatureAttributes("minilm@1", 4, "stage@1", 3), "`stage features all {}/d`"),
        (
            "d/features",
            FeatureAttributes("me/bert@0123456789ab", 4, "me/detr@0123456789ab", 3),
            "`stage features all {}/d --text me/bert --detector me/detr`",
        ),
        ("d/other", FeatureAttributes("", 0, "stage@1", 3), "`stage features regions FILMS {}/d/other`"),
        (
            "d/features",
            FeatureAttributes("minilm@1", 3, "concepts:minilm@1", 3),
            "`stage features regions {0}/d/episodes {0}/d/features --concepts --detector NAME`",
        ),
        ("packed/features", FeatureAttributes("a", 4, "b", 3, "name"), "`stage data pack`"),
    ],
)
def test_the_error_names_the_command_that_makes_what_is_missing(
    tmp_path: Path, folder: str, attributes: FeatureAttributes, command: str
) -> None:
    store = FeatureStore.create(tmp_path / folder, attributes)
    store.put_clip("clip", {1: regions(2)})
    with pytest.raises(InputError) as raised:
        store.regions(CLIP, [1, 7])
    assert str(raised.value).endswith(command.format(tmp_path))


def test_the_film_of_a_clip_is_recorded(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    store.put_clip("clip", {1: regions(2)}, FILM)
    store.put_clip("described", {1: regions(2)})
    again = FeatureStore.open(tmp_path)
    assert again.film("clip") == FILM
    assert again.film("described") is None
    with pytest.raises(InputError, match="has no regions of clip other"):
        again.film("other")


def test_the_fingerprint_is_that_of_the_regions_and_not_of_the_file(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path / "a", ATTRIBUTES)
    store.put_clip("clip", {1: regions(2), 7: regions(3)}, FILM)
    store.put_clip("other", {1: regions(2)})
    before = store.fingerprint(["clip", "other"])
    assert before == store.fingerprint(["other", "clip", "clip"])
    assert before != store.fingerprint(["clip"])
    store.put_clip("clip", {7: regions(3), 1: regions(2)})
    assert store.fingerprint(["clip", "other"]) == before
    changed = regions(3)
    changed.features[0, 0] += 1
    store.put_clip("clip", {1: regions(2), 7: changed})
    assert store.fingerprint(["clip", "other"]) != before
    copy = FeatureStore.create(tmp_path / "b", FeatureAttributes("words@1", 4, "regions@2", 3))
    copy.put_clip("clip", {1: regions(2), 7: changed})
    assert copy.fingerprint(["clip"]) != store.fingerprint(["clip"])


def test_a_clip_that_another_process_replaces_is_an_error_and_never_a_mixture(tmp_path: Path) -> None:
    writer = FeatureStore.create(tmp_path / "s", ATTRIBUTES)
    writer.put_clip("clip", {1: regions(2), 7: regions(3)})
    reader = FeatureStore.open(tmp_path / "s")
    held = reader.clip("clip")
    assert np.array_equal(held[1].boxes, regions(2).boxes)
    script = f"""
import sys; from pathlib import Path; import numpy as np
from stage.features.store.feature_store import FeatureStore; from stage.types import Regions
found = Regions(np.ones((9, 4), np.float32), np.ones(9, np.float32), np.ones((9, 3), np.float32))
FeatureStore.open(Path({str(tmp_path / "s")!r})).put_clip("clip", {{1: found, 7: found}})
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    for read in (lambda: held[7], lambda: reader.regions(CLIP, [1, 7])):
        with pytest.raises(InputError, match=r"clip\.safetensors: was changed while it was in use; run"):
            read()
    for i in range(200):  # push it out of memory: it stays an error
        writer.put_clip(f"clip{i}", {1: regions(1)})
        reader.clip(f"clip{i}")
    with pytest.raises(InputError, match="was changed while it was in use"):
        reader.clip("clip")
    assert len(FeatureStore.open(tmp_path / "s").clip("clip")[7]) == 9
    writer.put_clip("clip", {1: regions(4)})  # what a process writes itself, it reads
    assert len(writer.clip("clip")[1]) == 4


@pytest.mark.parametrize("in_place", [False, True])
def test_rewritten_and_removed_files_are_errors(tmp_path: Path, in_place: bool) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    store.put_clip("clip", {1: regions(2)})
    [path] = (tmp_path / "clips").iterdir()
    held = store.clip("clip")
    if in_place:
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    else:
        path.unlink()
    with pytest.raises(InputError, match="was changed" if in_place else r"was removed|can't be read"):
        held[1]


def test_word_vectors_that_another_process_adds_are_found_and_removed_ones_are_an_error(
    tmp_path: Path,
) -> None:
    reader = FeatureStore.create(tmp_path, ATTRIBUTES)
    assert not reader.has_text("new")
    for round_ in range(3):
        key = f"new {round_}"
        with pytest.raises(InputError, match=key):
            reader.text(key)
        path = FeatureStore.open(tmp_path).put_texts({key: np.full((2, 4), round_, np.float32)})
        assert reader.text(key).tolist() == [[round_] * 4] * 2
    assert path is not None
    path.unlink()
    with pytest.raises(InputError, match=r"was removed|can't be read"):
        reader.text("new 2")


def test_word_vectors_that_are_replaced_are_an_error(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path / "a", ATTRIBUTES)
    path = store.put_texts({"one": np.zeros((2, 4), np.float32), "two": np.ones((2, 4), np.float32)})
    assert path is not None
    other = FeatureStore.create(tmp_path / "b", ATTRIBUTES).put_texts({"two": np.ones((4, 4), np.float32)})
    assert other is not None
    os.replace(other, path)
    with pytest.raises(InputError, match="was changed while it was in use"):
        store.text("one")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
def test_features_that_are_not_finite_are_never_stored(tmp_path: Path, value: float) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    bad = regions(3)
    bad.features[1, 2] = value
    with pytest.raises(InputError, match=r"clip.*features of frame 7 contain NaN or values"):
        store.put_clip("clip", {1: regions(2), 7: bad})
    assert not store.has_clip("clip")
    vectors = np.zeros((2, 4), np.float32)
    vectors[1, 1] = value
    with pytest.raises(InputError, match="word vectors of 'bad one' contain NaN"):
        store.put_texts({"good": np.zeros((2, 4), np.float32), "bad one": vectors})
    assert not list(tmp_path.rglob("texts/*"))


def spoil(path: Path, value: float, place: int) -> None:
    """Overwrite a float16 number of a file, counted from its end."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) - 2 * place : len(raw) - 2 * place + 2] = np.float16(value).tobytes()
    path.write_bytes(raw)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_named_when_they_are_read(tmp_path: Path, value: float) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    path = store.put_texts({"good": np.zeros((2, 4), np.float32), "bad one": np.zeros((2, 4), np.float32)})
    assert path is not None
    spoil(path, value, place=1)
    store = FeatureStore.open(tmp_path)
    assert store.text("good").shape == (2, 4)
    with pytest.raises(InputError, match="'bad one' contain NaN or infinities"):
        store.texts(["good", "bad one"])
    # Of earlier versions: written by hand, since the arrays of such files are not in a known order.
    from safetensors.numpy import save_file

    features = np.zeros((2, 3), np.float16)
    features[1, 0] = value
    tables = {
        "frames": np.array([1, 7]),
        "counts": np.array([1, 1]),
        "boxes": np.zeros((2, 4), np.float32),
        "scores": np.zeros(2, np.float32),
        "labels": np.zeros(2, np.int32),
    }
    (tmp_path / "clips").mkdir()
    save_file({**tables, "features": features}, tmp_path / "clips" / "clip.safetensors", {"labels": "[]"})
    assert len(store.regions(CLIP, [1])[1]) == 1
    with pytest.raises(InputError, match=r"clip\.safetensors: features of frame 7 contain NaN or infinities"):
        store.regions(CLIP, [1, 7])


def test_a_complete_store_in_a_read_only_folder_is_opened_for_writing_nothing(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, ATTRIBUTES).put_clip("clip", {1: regions(1)})
    written = (tmp_path / "attributes.json").stat()
    again = FeatureStore.create(tmp_path, FeatureAttributes(regions="regions@1", region_dim=3))
    assert again.attributes == ATTRIBUTES
    assert (tmp_path / "attributes.json").stat() == written


def test_features_that_were_damaged_are_found_by_their_digest(tmp_path: Path) -> None:
    store = FeatureStore.create(tmp_path, ATTRIBUTES)
    store.put_clip("clip", {1: regions(2)})
    texts = store.put_texts({"good": np.ones((2, 4), np.float32)})
    assert texts is not None
    store.check_digests(["clip"])
    shutil.copytree(tmp_path, tmp_path / "copy")
    spoil(texts, 0.5, place=1)
    with pytest.raises(InputError, match="vectors differ from those that were written"):
        FeatureStore.open(tmp_path).check_digests(["clip"])
