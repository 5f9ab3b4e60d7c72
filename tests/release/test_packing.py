"""Released features are packed without loss, and a stopped run is resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from samples.features import quiet
from samples.release_folder import REGION_DIM, TEXT_DIM, Release
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.packing import pack_release


def test_packed_features_are_those_that_were_released(release: Release) -> None:
    root = release.write()
    released = open_questions(root / "train", Limits())
    pack_release(root, root / "packed", 25, quiet)
    packed = open_questions(root / "train", Limits())
    assert packed.name.startswith(str(root / "packed"))
    torch.manual_seed(0)
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM, hidden=16)).eval()
    with torch.inference_mode():
        a, b = (
            model.answer(collate([s.example(i) for i in range(len(s))])).logits.softmax(-1)
            for s in (released, packed)
        )
    assert torch.allclose(a, b, atol=1e-3)
    assert not torch.equal(a, b)  # float16 is read, not the released file again
    assert packed.questions == released.questions


def test_packing_is_resumed_after_a_stop(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    root = release.write()
    put = FeatureStore.put_clip
    done: list[str] = []

    def put_two(store: FeatureStore, name: str, frames: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(name)
        put(store, name, frames)

    monkeypatch.setattr(FeatureStore, "put_clip", put_two)
    with pytest.raises(KeyboardInterrupt):
        pack_release(root, root / "packed", 25, quiet)
    again: list[str] = []
    monkeypatch.setattr(FeatureStore, "put_clip", lambda s, name, f: (again.append(name), put(s, name, f)))
    pack_release(root, root / "packed", 25, quiet)
    assert len(again) == 1
    assert not set(again) & set(done)
    assert open_questions(root / "train", Limits()).example(5).regions


def test_packing_again_with_other_settings_is_refused(release: Release) -> None:
    root = release.write()
    pack_release(root, root / "packed", 2, quiet)
    with pytest.raises(InputError, match=r"packed.*regions.*2.*3"):
        pack_release(root, root / "packed", 3, quiet)
    pack_release(root, root / "packed", 2, quiet)


def test_another_data_set_is_not_packed_over(release: Release, tmp_path: Path) -> None:
    own = tmp_path / "own" / "train" / "questions.json"
    own.parent.mkdir(parents=True)
    own.write_text("[]", "utf-8")
    with pytest.raises(InputError, match=r"own/train: contains another data set"):
        pack_release(release.write(), tmp_path / "own", 25, quiet)
    assert own.read_text("utf-8") == "[]"
    assert [path.name for path in own.parent.iterdir()] == ["questions.json"]


def test_features_that_are_not_numbers_are_named_each_time(release: Release) -> None:
    root = release.write()
    with h5py.File(root / "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5", "r+") as file:
        clip = sorted(file)[1]
        file[clip][:, 0] = np.nan
    for _ in range(2):
        with pytest.raises(InputError, match=rf"{clip}, frame .*NaN"):
            pack_release(root, root / "packed", 25, quiet)


def test_a_faulty_write_is_detected(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    root = release.write()
    put = FeatureStore.put_clip

    def faulty(store: FeatureStore, name: str, frames: Any) -> None:
        put(store, name, {n: replace(found, boxes=found.boxes + 1) for n, found in frames.items()})

    with monkeypatch.context() as broken:
        broken.setattr(FeatureStore, "put_clip", faulty)
        with pytest.raises(InputError, match="disk full or faulty"):
            pack_release(root, root / "packed", 25, quiet)
    pack_release(root, root / "packed", 25, quiet)
    packed, released = (
        open_questions(place, Limits()).example(0) for place in (root / "packed" / "train", root / "train")
    )
    assert np.allclose(packed.regions[0].boxes, released.regions[0].boxes)


def test_long_clips_are_squeezed_as_the_release_does_packed_or_not(release: Release) -> None:
    clip, count = release.questions[0]["vid_name"], 450
    release.frames[clip] = count
    found = release.detections[clip]
    for key in found:
        found[key] = (found[key] * count)[:count]
    release.questions[0]["ts"] = [120.0, 140.0]
    root = release.write()
    as_released = open_questions(root / "train", Limits())
    pack_release(root, root / "packed", 25, quiet)
    for questions in (
        as_released,
        open_questions(root / "train", Limits()),
        open_questions(root / "packed" / "train", Limits()),
    ):
        example = questions.example(0)
        assert example.question.span == (120.0, 140.0)
        assert (example.frames[0], example.frames[-1]) == (
            4,
            298,
        )  # 4 is annotated, and 300 the last that is read
        assert example.span is not None
        assert [(example.frames[position] - 1) / 3 for position in example.span] == [81.0, 93.0]
        assert questions.example(0, training=True).frames == example.frames


def test_releases_packed_by_earlier_versions_are_read_and_completed(release: Release) -> None:
    root = release.write()
    pack_release(root, root / "packed", 25, quiet)
    path = root / "packed" / "features" / "clips" / "s01e00_clip.safetensors"
    store = FeatureStore.open(root / "packed" / "features")
    whole = store.clip("s01e00_clip")
    frames = list(whole)
    kept = {frame: found for frame, found in whole.items() if frame <= 16}
    store.put_clip("s01e00_clip", kept)
    with pytest.raises(InputError, match=r"no regions of frame 22 of clip s01e00_clip.*`stage data pack`"):
        open_questions(root / "train", Limits()).example(1)
    # Without digests, as earlier versions wrote it: these omitted frames that the release has no regions of.
    save_file(
        load_file(path), path, {"labels": json.dumps(sorted({n for r in kept.values() for n in r.labels}))}
    )
    example = open_questions(root / "train", Limits()).example(1)
    assert example.frames == (4, 10, 16, 22)
    assert [len(found) > 0 for found in example.regions] == [True, True, True, False]
    pack_release(root, root / "packed", 25, quiet)
    assert list(FeatureStore.open(root / "packed" / "features").clip("s01e00_clip")) == frames
