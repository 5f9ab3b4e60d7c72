"""The packaged detector finds what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stage.errors import InputError
from stage.features.protocols import REGIONS_PER_FRAME
from stage.features.regions.packaged import ASSETS, WEIGHTS, StageDetector
from stage.features.registry import load_detector
from stage.geometry import box_iou
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay
from stage.sitcom.world import CAST


def unseen(count: int) -> list[tuple[np.ndarray, tuple]]:
    drawn = []
    for i in range(count):
        play = write_screenplay(episode_seed("test", 99, i))
        setting = draw(play.setting_at(play.duration * (i + 0.5) / count))
        drawn.append((setting.image, setting.boxes))
    return drawn


def test_the_packaged_detector_finds_what_is_drawn() -> None:
    detector = load_detector("stage")
    found = total = named = 0
    for picture, boxes in unseen(12):
        regions = detector.detect([picture])[0]
        assert 1 <= len(regions) <= REGIONS_PER_FRAME
        assert regions.features.shape == (len(regions), detector.dim)
        iou = box_iou(np.array([b.corners for b in boxes]), regions.boxes)
        best = iou.argmax(1)
        found += int((iou.max(1) >= 0.5).sum())
        kinds = ["person" if b.label in CAST else b.label for b in boxes]
        named += sum(regions.labels[r] == kind for r, kind in zip(best, kinds, strict=True))
        total += len(boxes)
    assert found / total >= 0.9
    assert named / total >= 0.7


def test_detections_do_not_depend_on_the_batch_and_scale_with_the_image() -> None:
    detector = load_detector("stage")
    pictures = [picture for picture, _ in unseen(2)]
    wide = np.repeat(np.repeat(pictures[0], 2, 0), 2, 1)
    alone = detector.detect([pictures[0]])[0]
    together = detector.detect([pictures[0], pictures[1]])[0]
    enlarged = detector.detect([wide])[0]
    assert np.allclose(alone.boxes, together.boxes, atol=0.5)
    assert np.allclose(alone.boxes * 2, enlarged.boxes, atol=2.5)
    assert tuple(alone.boxes[-1]) == (0, 0, 640, 360)


@pytest.mark.parametrize("spoil", ["missing", "cut"])
def test_a_file_that_is_no_detector_is_refused(tmp_path: Path, spoil: str) -> None:
    whole = (ASSETS / WEIGHTS).read_bytes()
    if spoil == "cut":
        (tmp_path / WEIGHTS).write_bytes(whole[:-10])
    else:
        save_file({"a": torch.zeros(2)}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match="is not a detector of this version"):
        StageDetector.load(tmp_path)
