"""Any object detector of transformers gives regions."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import YolosConfig, YolosForObjectDetection

from stage.errors import InputError
from stage.features.names import same_model
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
    """What the model gets of the image."""
    return TransformersDetector.load(str(folder)).prepare(IMAGE)


def resized(width: int, height: int) -> torch.Tensor:
    """The image in another size, as values of 0 to 255."""
    image = PIL.Image.fromarray(IMAGE).resize((width, height), PIL.Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()


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


PROCESSORS = ["DetrImageProcessor", "YolosImageProcessor", "RTDetrImageProcessor", None]


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, resized(96, 64) / 255),
        ({"do_rescale": False}, resized(96, 64)),
        ({"rescale_factor": 1 / 127.5}, resized(96, 64) / 127.5),
        ({"do_resize": False}, resized(200, 120) / 255),
        ({"do_resize": False, "do_rescale": False}, resized(200, 120)),
        ({"size": {"height": 32, "width": 80}}, resized(80, 32) / 255),
        ({"size": {"shortest_edge": 48, "longest_edge": 96}}, resized(80, 48) / 255),
        (
            {"do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]},
            (resized(96, 64) / 255 - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1))
            / torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1),
        ),
        (
            {"do_normalize": True, "do_rescale": False, "image_mean": [9, 8, 7], "image_std": [2, 3, 4]},
            (resized(96, 64) - torch.tensor([9, 8, 7]).view(3, 1, 1)) / torch.tensor([2, 3, 4]).view(3, 1, 1),
        ),
    ],
)
def test_each_setting_gives_the_pixels_that_it_describes(
    tmp_path: Path, kind: str | None, settings: dict[str, Any], expected: torch.Tensor
) -> None:
    common = {"do_normalize": False, "size": {"height": 64, "width": 96}}
    named = {"image_processor_type": kind} if kind else {}
    folder = detector_in(tmp_path, common | settings | named)
    torch.testing.assert_close(pixels(folder), expected, rtol=1e-5, atol=1e-5)
    assert len(load_detector(str(folder)).detect([IMAGE])[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"size": {"height": 0, "width": 96}},
        {"size": {"height": -3, "width": 96}},
        {"size": {"height": 1, "width": 1}},
        {"size": {"shortest_edge": 0, "longest_edge": 10}},
        {"size": {"x": 3}},
        {"size": "large"},
        {"pad_size": {"height": 8, "width": 8}},
        {"image_mean": [0.5]},
        {"image_std": [0, 0, 0]},
        {"rescale_factor": "a"},
        {"rescale_factor": None},
        {"resample": 99},
    ],
)
def test_settings_that_prepare_no_image_are_refused_when_loading_or_with_the_first_image(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    folder = detector_in(tmp_path / "detr", {"size": {"height": 64, "width": 96}} | settings)
    with pytest.raises(
        InputError, match=r"detr.*(preprocessor_config\.json|no object detector could be loaded)"
    ):
        load_detector(str(folder)).detect([IMAGE])


def test_an_image_that_the_settings_do_not_fit_is_refused_with_its_size(tmp_path: Path) -> None:
    settings = {"do_resize": False, "pad_size": {"height": 400, "width": 700}}
    detector = load_detector(str(detector_in(tmp_path, settings)))
    with pytest.raises(InputError, match="prepares no image of 800 x 300 pixels"):
        detector.detect([np.zeros((300, 800, 3), np.uint8)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {f"module.{k}": v for k, v in w.items()}, r'missing .* unexpected .*prefix "module\."'),
        (
            lambda w: {k: v for k, v in w.items() if "class_labels" not in k},
            r"6 missing \(class_labels_classifier\.",
        ),
        (lambda w: {k: v for k, v in w.items() if "layer.0" not in k}, r"missing \(vit\.encoder\.layer\.0\."),
        (
            lambda w: (
                w | {k.replace("layer.0", "layer.1"): v.clone() for k, v in w.items() if "layer.0" in k}
            ),
            r"unexpected \(vit\.encoder\.layer\.1\.",
        ),
    ],
)
def test_a_detector_with_missing_or_unexpected_weights_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    folder = detector_in(tmp_path, None)
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=f"not those of a YolosForObjectDetection .*{message}"):
        load_detector(str(folder))


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_a_detector_in_half_precision_is_read_as_float32(tmp_path: Path, precision: torch.dtype) -> None:
    folder = detector_in(tmp_path, {"size": {"height": 64, "width": 96}})
    YolosForObjectDetection.from_pretrained(folder).to(precision).save_pretrained(folder)
    detector = TransformersDetector.load(str(folder))
    assert {weights.dtype for weights in detector.model.parameters()} == {torch.float32}
    assert len(detector.detect([IMAGE])[0])


def test_every_spelling_of_a_detector_s_path_gives_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector_in(tmp_path / "yolos", {"size": {"height": 64, "width": 96}})
    monkeypatch.chdir(tmp_path)
    name = load_detector("yolos").name
    assert name.startswith(f"{tmp_path / 'yolos'}@")
    digests = name.partition("@")[2]
    for spelling in ("./yolos", str(tmp_path / "yolos"), f"yolos@{digests}", f"yolos@{digests[:12]}", name):
        assert load_detector(spelling).name == name


def test_another_preparation_of_images_is_another_detector(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = detector_in(tmp_path / "first", {"size": {"height": 64, "width": 96}})
    name = load_detector(str(first)).name
    second = Path(shutil.copytree(first, tmp_path / "second"))
    assert same_model(name, load_detector(str(second)).name)
    (second / "preprocessor_config.json").write_text('{"size": {"width": 96, "height": 64}}')  # the same
    assert same_model(name, load_detector(str(second)).name)
    (second / "preprocessor_config.json").write_text(
        '{"size": {"height": 64, "width": 96}, "do_rescale": false}'
    )
    assert not same_model(name, load_detector(str(second)).name)
    with pytest.raises(InputError, match=r"preparation of images in .* are others now"):
        load_detector(f"{second}@{name.partition('@')[2]}")


def test_without_settings_images_are_prepared_as_for_detr(tmp_path: Path) -> None:
    assert pixels(detector_in(tmp_path, None)).shape == (1, 3, 800, 1333)


def test_settings_may_lie_in_processor_config_json(tmp_path: Path) -> None:
    settings = {"image_processor_type": "YolosImageProcessor", "size": {"height": 64, "width": 96}}
    folder = detector_in(tmp_path, None)
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    assert pixels(folder).shape == (1, 3, 64, 96)


def test_no_torchvision_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # so that importing it fails
    settings = {"size": {"height": 64, "width": 96}, "image_processor_type": "DetrImageProcessor"}
    assert pixels(detector_in(tmp_path, settings)).shape == (1, 3, 64, 96)


def test_settings_that_can_not_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"half/preprocessor_config\.json: is not JSON"):
        load_detector(str(detector_in(tmp_path / "half", '{"size": ')))
    custom = {"auto_map": {"AutoImageProcessor": "code.Processor"}, "image_processor_type": "Processor"}
    with pytest.raises(InputError, match="no object detector could be loaded"):
        load_detector(str(detector_in(tmp_path / "code", custom)))
