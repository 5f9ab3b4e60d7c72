"""Pictures reach an ONNX detector with the values and in the place that it was trained with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage.features.regions.onnx_input import IMAGENET_MEAN, Fitted, ImageInput, Preparation, Settings
from stage.features.regions.onnx_outputs import OutputFormat

RED = np.zeros((2, 4, 3), np.uint8)
RED[..., 0] = 255


def values(kind: str, shape: list[Any], how: Preparation) -> Any:
    """The tensor that a red picture of 4 x 2 pixels becomes."""
    return ImageInput.among({"images": (kind, shape)}, "d.onnx").tensor(RED, how)


def test_values_are_those_of_the_family() -> None:
    first = {}
    for family, names in {
        "d-fine": ("boxes", "scores", "labels"), "rf-detr": ("dets", "labels"), "yolox": ("output",),
    }.items():  # fmt: skip
        how = OutputFormat.of(dict.fromkeys(names, 3), "").preparation
        first[family] = values("tensor(float)", [1, 3, 2, 4], how)[0, :, 0, 0]
    assert first["d-fine"].tolist() == [1, 0, 0]
    assert first["yolox"].tolist() == [0, 0, 255]
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    assert first["rf-detr"].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_layout_and_type_are_those_of_the_input() -> None:
    channels_first = values("tensor(float16)", ["n", 3, "h", "w"], Preparation())
    assert (channels_first.shape, channels_first.dtype) == ((1, 3, 2, 4), np.float16)
    channels_last = values("tensor(uint8)", [1, None, None, 3], Preparation())
    assert (channels_last.shape, channels_last.dtype) == ((1, 2, 4, 3), np.uint8)
    assert channels_last[0, 0, 0].tolist() == [255, 0, 0]
    assert values("tensor(uint8)", [1, "h", "w", "c"], Preparation()).shape == (1, 2, 4, 3)
    assert values("tensor(float)", [1, "c", "h", "w"], Preparation()).shape == (1, 3, 2, 4)


def test_a_picture_that_keeps_its_shape_is_padded_with_grey() -> None:
    corner = Fitted.to(RED, (8, 8), Preparation("corner"))
    assert corner.canvas[:4, :, 0].min() == 255
    assert (corner.canvas[4:] == 114).all()
    centre = Fitted.to(RED, (8, 8), Preparation("centre"))
    assert (centre.canvas[:2] == 114).all()
    assert (centre.canvas[6:] == 114).all()
    box = np.array([[2.0, 2, 6, 4]], np.float32)
    assert corner.in_picture(box).tolist() == [[1, 1, 3, 2]]
    assert centre.in_picture(box).tolist() == [[1, 0, 3, 1]]


@pytest.mark.parametrize(
    ("raw", "mean", "scale"),
    [
        ({"image_processor_type": "DetrImageProcessor"}, IMAGENET_MEAN, 1 / 255),
        ({"image_processor_type": "RTDetrImageProcessor"}, (0, 0, 0), 1 / 255),
        ({"do_normalize": False}, (0, 0, 0), 1 / 255),
        ({"do_normalize": True, "image_mean": [0.1, 0.2, 0.3]}, (0.1, 0.2, 0.3), 1 / 255),
        ({"do_rescale": False, "do_normalize": False}, (0, 0, 0), 1),
    ],
)
def test_settings_beside_the_file_say_how_pictures_are_prepared(
    tmp_path: Path, raw: dict[str, Any], mean: tuple[float, ...], scale: float
) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(raw))
    (tmp_path / "onnx").mkdir()
    for path in (tmp_path / "d.onnx", tmp_path / "onnx" / "d.onnx"):
        settings = Settings.beside(path)
        assert settings is not None
        assert (settings.how.mean, settings.how.scale) == (mean, scale)


def test_a_shortest_edge_keeps_the_shape_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(
        '{"size": {"shortest_edge": 800, "longest_edge": 1333}}'
    )
    settings = Settings.beside(tmp_path / "d.onnx")
    assert settings is not None
    assert settings.size_for(np.zeros((360, 400, 3), np.uint8)) == (800, 889)
    assert settings.size_for(np.zeros((360, 640, 3), np.uint8)) == (750, 1333)
