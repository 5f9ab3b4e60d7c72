"""Models of the hub: what was downloaded is read without a network, and one that doesn't answer is not waited for."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from samples.transformers_detectors import saved
from stage.errors import InputError
from stage.features import hub
from stage.features.registry import DEFAULT_DETECTOR, default_detector, kind_of_detector, load_detector


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a network on which nothing can be reached."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(huggingface_hub, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    return folder


def put(cache: Path, name: str, model: Path) -> Path:
    """Put a model into the cache as a download does. Returns its folder there."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    return Path(shutil.copytree(model, repository / "snapshots" / "abc"))


@pytest.mark.slow
def test_the_default_detector_is_read_from_the_cache(tmp_path: Path, cache: Path) -> None:
    put(cache, DEFAULT_DETECTOR, saved("d-fine", tmp_path / "d-fine"))
    detector, note = default_detector()
    assert detector is not None
    assert detector.name == DEFAULT_DETECTOR
    assert DEFAULT_DETECTOR in note
    assert len(detector.detect([np.full((120, 200, 3), 127, np.uint8)])[0])


def test_without_cache_and_network_there_is_no_default_detector_but_a_reason(cache: Path) -> None:
    detector, note = default_detector()
    assert detector is None
    assert "the hub can't be reached (no network here)" in note


def test_offline_the_hub_is_not_asked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert default_detector() == (
        None, f"{DEFAULT_DETECTOR} was not downloaded, and the hub can't be reached (HF_HUB_OFFLINE is set)"
    )  # fmt: skip
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        kind_of_detector("owner/model")


def test_a_hub_that_never_answers_is_not_waited_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *_, **__: forever.wait(30))
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    started = time.monotonic()
    detector, note = default_detector()
    assert detector is None
    assert "no answer within" in note
    assert time.monotonic() - started < 5
    forever.set()


@pytest.mark.slow
def test_a_download_that_was_interrupted_is_no_model(tmp_path: Path, cache: Path) -> None:
    folder = put(cache, "owner/d-fine", saved("d-fine", tmp_path / "d-fine"))
    assert hub.downloaded("owner/d-fine") == folder
    weights = folder / "model.safetensors"
    weights.rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert hub.downloaded("owner/d-fine") is None
    assert hub.downloaded("owner/never-heard-of") is None


def test_the_kind_of_a_detector_of_the_hub_is_read_from_its_configuration_alone(
    tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "dino"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "grounding-dino"}')
    put(cache, "owner/dino", folder)
    assert kind_of_detector("owner/dino") == "phrases"
    with pytest.raises(InputError, match="owner/dino: is an open-vocabulary detector"):
        load_detector("owner/dino")
    with pytest.raises(InputError, match=r"owner/other: is neither a folder nor .*no network here"):
        kind_of_detector("owner/other")
