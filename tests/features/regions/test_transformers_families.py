"""The families of transformers' detectors with labels: their boxes, scores and labels, with tiny random models."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from samples.transformers_detectors import FAMILIES, LABELS, saved
from stage.errors import InputError
from stage.features.protocols import REGIONS_PER_FRAME
from stage.features.regions.transformers_detector import TransformersDetector
from stage.features.registry import OPEN_VOCABULARY, kind_of_detector, load_detector

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 200, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_boxes_labels_and_states_without_torchvision(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # so that importing it fails
    folder = saved(family, tmp_path / family)
    assert kind_of_detector(str(folder)) == "labels"
    detector = load_detector(str(folder))
    assert isinstance(detector, TransformersDetector)
    regions = detector.detect([IMAGE])[0]
    assert 1 <= len(regions) <= REGIONS_PER_FRAME
    assert regions.features.shape == (len(regions), 32)
    assert set(regions.labels) <= set(LABELS.values())
    assert (regions.boxes >= 0).all()
    assert (regions.boxes <= [200, 120, 200, 120]).all()
    assert load_detector(detector.name).name == detector.name


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_boxes_and_scores_are_those_of_transformers_own_post_processing(tmp_path: Path, family: str) -> None:
    detector = load_detector(str(saved(family, tmp_path / family)))
    assert isinstance(detector, TransformersDetector)
    regions = detector.detect([IMAGE])[0]
    with torch.inference_mode():
        output = detector.model(pixel_values=detector.prepare(IMAGE).to(detector.model.device))
    [expected] = detector.processor.post_process_object_detection(
        output, threshold=0.0, target_sizes=[(120, 200)]
    )
    best = int(expected["scores"].argmax())
    assert regions.scores[0] == pytest.approx(float(expected["scores"][best]), abs=1e-5)
    assert regions.labels[0] == LABELS[int(expected["labels"][best])]
    box = expected["boxes"][best].cpu().numpy().clip(0, [200, 120, 200, 120])
    np.testing.assert_allclose(regions.boxes[0], box, atol=1e-2)


def test_the_open_vocabulary_detectors_are_those_of_transformers() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES

    assert set(MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES) == OPEN_VOCABULARY


def test_an_open_vocabulary_detector_is_not_taken_for_one_with_labels(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "owlv2"}')
    assert kind_of_detector(str(tmp_path)) == "phrases"
    with pytest.raises(InputError, match="is an open-vocabulary detector"):
        load_detector(str(tmp_path))


def test_a_folder_that_was_downloaded_in_part_is_refused(tmp_path: Path) -> None:
    folder = saved("detr", tmp_path / "detr")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"contains no .*safetensors weights"):
        load_detector(str(folder))
