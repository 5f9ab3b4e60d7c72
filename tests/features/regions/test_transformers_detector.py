"""Any object detector of transformers gives regions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import YolosConfig, YolosForObjectDetection

from stage.errors import InputError
from stage.features.protocols import REGIONS_PER_FRAME
from stage.features.regions.transformers_detector import TransformersDetector
from stage.features.registry import load_detector

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 200, 3), np.uint8)


def detector_in(folder: Path, settings: dict[str, Any] | str | None) -> Path:
    """A tiny detector, with settings of its image processor or without any."""
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=[64, 96],
        patch_size=16, num_detection_tokens=30, num_labels=3, id2label={0: "cat", 1: "dog", 2: "cup"},
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(folder)
    if settings is not None:
        text = settings if isinstance(settings, str) else json.dumps(settings)
        (folder / "preprocessor_config.json").write_text(text)
    return folder


def pixels(folder: Path) -> torch.Tensor:
    prepared = TransformersDetector.load(str(folder)).processor(
        images=IMAGE, input_data_format="channels_last", return_tensors="pt"
    )
    values: torch.Tensor = prepared["pixel_values"]
    return values


def test_any_detector_of_transformers_gives_boxes_labels_and_decoder_states(tmp_path: Path) -> None:
    detector = load_detector(str(detector_in(tmp_path, {"size": {"height": 64, "width": 96}})))
    regions = detector.detect([IMAGE])[0]
    assert 1 <= len(regions) <= REGIONS_PER_FRAME
    assert regions.features.shape == (len(regions), 16)
    assert set(regions.labels) <= {"cat", "dog", "cup"}
    assert (regions.boxes >= 0).all()
    assert (regions.boxes <= [200, 120, 200, 120]).all()
    assert (np.diff(regions.scores) <= 0).all()
    assert load_detector(detector.name).name == detector.name


def test_images_are_prepared_as_the_model_s_settings_say(tmp_path: Path) -> None:
    size = {"size": {"height": 64, "width": 96}}
    plain = pixels(detector_in(tmp_path / "plain", size | {"do_normalize": False}))
    assert plain.shape == (1, 3, 64, 96)
    assert 0 <= plain.min() < plain.max() <= 1
    mean, deviation = [0.5, 0.4, 0.3], [0.1, 0.2, 0.3]
    normal = pixels(detector_in(tmp_path / "normal", size | {"image_mean": mean, "image_std": deviation}))
    expected = (plain - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None]
    torch.testing.assert_close(normal, expected)


def test_without_settings_images_are_prepared_as_for_detr(tmp_path: Path) -> None:
    assert pixels(detector_in(tmp_path, None)).shape == (1, 3, 800, 1333)


def test_no_torchvision_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # so that importing it fails
    settings = {"size": {"height": 64, "width": 96}, "image_processor_type": "DetrImageProcessor"}
    assert pixels(detector_in(tmp_path, settings)).shape == (1, 3, 64, 96)


def test_settings_that_can_not_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no object detector could be loaded"):
        load_detector(str(detector_in(tmp_path / "half", '{"size": ')))
    custom = {"auto_map": {"AutoImageProcessor": "code.Processor"}, "image_processor_type": "Processor"}
    with pytest.raises(InputError, match="no object detector could be loaded"):
        load_detector(str(detector_in(tmp_path / "code", custom)))
