"""`stage features` names what is missing before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from samples.command_line import Run
from samples.onnx_detectors import listed, write_onnx
from samples.sitcom import RUN
from stage.features.store.feature_store import FeatureStore
from stage.io import write_json


def test_clips_without_frame_counts_are_named_before_films_are_read(
    run: Run, random_data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(random_data, folder)
    write_json(folder / "frames.json", {})
    assert run("features", "all", folder).refused("no subtitles or frame count for clip clip0")


@pytest.mark.slow
def test_regions_without_vectors_are_stored_but_only_their_labels_can_be_trained_on(
    run: Run, sitcom_data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX graphs are run by onnxruntime")
    data = Path(shutil.copytree(sitcom_data, tmp_path / "data"))
    shutil.rmtree(data / "features")
    found = listed(([8, 8, 48, 60], 0.9, 0), ([0, 0, 9, 9], 0.8, 7))
    onnx = write_onnx(tmp_path / "detector.onnx", found, metadata={"names": "{0: 'person', 1: 'cup'}"})
    done = run("features", "all", data, "--detector", f"onnx:{onnx}")
    assert done.code == 0, done.err
    assert f"--detector concepts:minilm+onnx:{onnx}" in done.err
    assert "boxes of classes beyond the 2 labels" in done.err
    store = FeatureStore.open(data / "features")
    assert store.attributes.region_dim == 0
    [clip] = (path.stem for path in (data / "features" / "clips").iterdir())
    assert {regions.labels for regions in store.clip(clip).values()} == {("person",)}
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "run"))
    assert run("train", config).refused(f"--detector concepts:minilm+onnx:{onnx}")

    shutil.rmtree(data / "features")
    done = run("features", "all", data, "--detector", f"concepts:minilm+onnx:{onnx}")
    assert done.code == 0, done.err
    attributes = FeatureStore.open(data / "features").attributes
    assert attributes.regions == f"concepts:{attributes.text}"
    assert attributes.region_dim == attributes.text_dim == 384
    assert "keep them" not in done.err
    assert "keep them" in run("features", "all", data, "--detector", "concepts:minilm+stage").err
