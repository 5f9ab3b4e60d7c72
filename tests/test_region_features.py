"""Detectors give regions; principal components keep what varies; the store gives back what it got."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import YolosConfig, YolosForObjectDetection

from stage.errors import InputError
from stage.features.projection import ARRAYS_AT_ONCE, WHITENING_FLOOR, Projection, Projections, fit_projection
from stage.features.protocols import REGIONS_A_FRAME, FeatureAttributes
from stage.features.regions.packaged import ASSETS, WEIGHTS, StageDetector
from stage.features.registry import load_detector
from stage.features.store.feature_store import FeatureStore
from stage.features.store.tensor_file import OPEN_FILES
from stage.metrics.proposals import box_iou
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay
from stage.sitcom.world import CAST
from stage.types import Regions

MANY = OPEN_FILES + 50
ATTRIBUTES = FeatureAttributes("words@1", 4, "regions@1", 3)


def unseen(count: int) -> list[tuple[np.ndarray, tuple]]:
    drawn = []
    for i in range(count):
        play = write_screenplay(episode_seed("test", 99, i))
        setting = draw(play.setting_at(play.duration * (i + 0.5) / count))
        drawn.append((setting.picture, setting.boxes))
    return drawn


def test_the_packaged_detector_finds_what_is_drawn() -> None:
    detector = load_detector("stage")
    found = total = named = 0
    for picture, boxes in unseen(12):
        regions = detector.detect([picture])[0]
        assert 1 <= len(regions) <= REGIONS_A_FRAME
        assert regions.features.shape == (len(regions), detector.dim)
        iou = box_iou(np.array([b.corners for b in boxes]), regions.boxes)
        best = iou.argmax(1)
        found += int((iou.max(1) >= 0.5).sum())
        kinds = ["person" if b.label in CAST else b.label for b in boxes]
        named += sum(regions.labels[r] == kind for r, kind in zip(best, kinds, strict=True))
        total += len(boxes)
    assert found / total >= 0.9
    assert named / total >= 0.7


def test_detections_do_not_depend_on_what_shares_the_batch_and_fit_any_picture_size() -> None:
    detector = load_detector("stage")
    pictures = [picture for picture, _ in unseen(2)]
    wide = np.repeat(np.repeat(pictures[0], 2, 0), 2, 1)
    alone = detector.detect([pictures[0]])[0]
    together = detector.detect([pictures[0], pictures[1]])[0]
    enlarged = detector.detect([wide])[0]
    assert np.allclose(alone.boxes, together.boxes, atol=0.5)
    assert np.allclose(alone.boxes * 2, enlarged.boxes, atol=2.5)
    assert tuple(alone.boxes[-1]) == (0, 0, 640, 360)


def test_any_detector_of_transformers_gives_boxes_labels_and_decoder_states(tmp_path: Path) -> None:
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=[64, 96],
        patch_size=16, num_detection_tokens=30, num_labels=3, id2label={0: "cat", 1: "dog", 2: "cup"},
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 64, "width": 96}}')
    detector = load_detector(str(tmp_path))
    regions = detector.detect([np.random.default_rng(0).integers(0, 255, (120, 200, 3), np.uint8)])[0]
    assert 1 <= len(regions) <= REGIONS_A_FRAME
    assert regions.features.shape == (len(regions), 16)
    assert set(regions.labels) <= {"cat", "dog", "cup"}
    assert (regions.boxes >= 0).all()
    assert (regions.boxes <= [200, 120, 200, 120]).all()
    assert (np.diff(regions.scores) <= 0).all()
    assert load_detector(detector.name).name == detector.name


@pytest.mark.parametrize("spec", ["/nowhere/detr", "./nowhere", "no-such-name"])
def test_a_missing_detector_is_named_and_no_network_is_tried(spec: str) -> None:
    with pytest.raises(InputError, match=spec):
        load_detector(spec)


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


def test_whitened_vectors_vary_by_as_much_in_all_directions_but_those_that_hardly_vary() -> None:
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
        both = through.of_words([text, text[:2]])
        assert [len(v) for v in both] == [7, 2]
        assert np.array_equal(again.of_words([text])[0], both[0])
        assert np.array_equal(again.of_words([text])[0], text) == (through.words is None)


def test_many_arrays_go_through_a_projection_a_part_at_a_time_in_order() -> None:
    rng = np.random.default_rng(0)
    projection = fit_projection([rng.normal(size=(50, 4)).astype(np.float32)], 3)
    arrays = [rng.normal(size=(n % 4, 4)).astype(np.float32) for n in range(2 * ARRAYS_AT_ONCE + 5)]
    together = projection.apply_to_each(arrays)
    assert [len(t) for t in together] == [len(a) for a in arrays]
    assert all(np.allclose(t, projection.apply(a), atol=1e-5) for t, a in zip(together, arrays, strict=True))
    assert projection.apply_to_each([]) == []


def test_more_components_than_there_are_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="8 numbers"):
        fit_projection([np.zeros((100, 8), np.float32)], 9)


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


def test_a_writer_that_was_killed_leaves_nothing_that_is_read(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("spoil", ["missing", "cut"])
def test_a_file_that_is_no_detector_is_refused(tmp_path: Path, spoil: str) -> None:
    whole = (ASSETS / WEIGHTS).read_bytes()
    if spoil == "cut":
        (tmp_path / WEIGHTS).write_bytes(whole[:-10])
    else:
        save_file({"a": torch.zeros(2)}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match="is not a detector of this version"):
        StageDetector.load(tmp_path)
