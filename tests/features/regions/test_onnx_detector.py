"""ONNX detectors of every family give the boxes that their exporters' conventions mean."""

from __future__ import annotations

import os
import shutil
import sys
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples.onnx_detectors import FLOAT, INT64, SIZES, UINT8, listed, write_onnx
from samples.places import SHARED
from stage.errors import InputError
from stage.features.names import same_model
from stage.features.regions.onnx_detector import OnnxDetector
from stage.features.registry import detector_notes, load_detector
from stage.geometry import box_iou
from stage.media.video import open_video

pytest.importorskip("onnx", reason="ONNX graphs are made with the package onnx")
pytest.importorskip("onnxruntime", reason="ONNX graphs are run by onnxruntime")

IMAGE = np.full((120, 200, 3), 255, np.uint8)
NAMES = {"names": "{0: 'cat', 1: 'dog', 2: 'cup'}"}


def found(path: Path, image: Any = IMAGE) -> list[tuple[str, float, list[float]]]:
    """Label, score and box of every region, rounded."""
    regions = load_detector(f"onnx:{path}").detect([image])[0]
    rows = zip(regions.labels, regions.scores.tolist(), regions.boxes.tolist(), strict=True)
    return [(label, round(score, 3), [round(side, 2) for side in box]) for label, score, box in rows]


def test_listed_boxes_are_in_pixels_of_the_input(tmp_path: Path) -> None:
    outputs = listed(([64, 128, 256, 384], 0.9, 1), ([0, 0, 512, 256], 0.3, 0), ([9, 9, 99, 99], 0.19, 0))
    path = write_onnx(tmp_path / "d.onnx", outputs, (UINT8, (1, 512, 512, 3)), NAMES, name="image")
    assert found(path) == [("dog", 0.9, [25, 30, 100, 90]), ("cat", 0.3, [0, 0, 200, 60])]
    regions = load_detector(f"onnx:{path}").detect([IMAGE, IMAGE[:60]])
    assert regions[0].features.shape == (2, 0)
    assert regions[1].boxes[0].tolist() == [25, 15, 100, 45]


def test_listed_boxes_may_be_fractions(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "d.onnx", listed(([0.25, 0.5, 1.0, 1.0], 0.9, 1)), metadata=NAMES)
    assert found(path) == [("dog", 0.9, [50, 60, 200, 120])]


def test_d_fine_and_rt_detr_are_told_the_size_that_their_boxes_are_scaled_to(tmp_path: Path) -> None:
    outputs = listed(([0.25, 0.5, 0.75, 1.0], 0.6, 2))
    for kind in (INT64, FLOAT):
        sizes = {SIZES: (kind, (1, 2))}
        path = write_onnx(tmp_path / f"{kind}.onnx", outputs, metadata=NAMES, others=sizes)
        assert found(path) == [("cup", 0.6, [50, 60, 150, 120])]


def test_rf_detr_scores_each_class_by_itself_and_may_have_one_more(tmp_path: Path) -> None:
    boxes = np.array([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.25, 0.1, 0.1]]], np.float32)
    logits = np.full((1, 2, 4), -5.0, np.float32)
    logits[0, 0, 1], logits[0, 1, 3] = log(4), 3  # a sigmoid of 0.8; the last class has no name
    path = write_onnx(tmp_path / "d.onnx", {"dets": boxes, "labels": logits}, metadata=NAMES, name="input")
    assert found(path) == [("dog", 0.8, [50, 30, 150, 90])]


def test_rf_detr_of_coco_counts_classes_by_coco_s_ids(tmp_path: Path) -> None:
    logits = np.full((1, 3, 91), -5.0, np.float32)
    logits[0, [0, 1, 2], [1, 13, 90]] = 2, 1, 0
    boxes = np.array([[[0.2, 0.2, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]]], np.float32)
    path = write_onnx(tmp_path / "d.onnx", {"dets": boxes, "labels": logits})
    for labels in ("coco", "coco91"):
        regions = load_detector(f"onnx:{path}:{labels}").detect([IMAGE])[0]
        assert regions.labels == ("person", "stop sign", "toothbrush")


def test_transformers_exports_are_a_softmax_if_they_have_no_object_and_else_sigmoids(tmp_path: Path) -> None:
    boxes = np.array([[[0.5, 0.5, 0.5, 0.5], [0.2, 0.2, 0.1, 0.1]]], np.float32)
    logits = np.log(np.array([[[6, 1, 1, 2], [1, 1, 1, 17]]], np.float32))
    path = write_onnx(tmp_path / "a.onnx", {"logits": logits, "pred_boxes": boxes}, metadata=NAMES)
    assert found(path) == [("cat", 0.6, [50, 30, 150, 90])]
    single = np.array([[[log(4), -5, -5], [-9, -9, -9]]], np.float32)
    path = write_onnx(tmp_path / "b.onnx", {"logits": single, "pred_boxes": boxes}, metadata=NAMES)
    assert found(path) == [("cat", 0.8, [50, 30, 150, 90])]


def test_yolox_is_decoded_by_its_strides_and_the_padding_taken_off(tmp_path: Path) -> None:
    """32 x 32 pixels: 16 cells of 8, 4 of 16, one of 32. The second cell of 16 lies at (16, 0)."""
    rows = np.zeros((1, 21, 8), np.float32)
    rows[0, 17] = [0.5, 0.25, 0, log(0.5), 0.8, 0, 0.5, 0]  # centre (24, 4), 16 x 8 pixels
    path = write_onnx(tmp_path / "d.onnx", {"output": rows}, (FLOAT, (1, 3, 32, 32)), NAMES)
    assert found(path, IMAGE[:100]) == [
        ("dog", 0.4, [100, 0, 200, 50])
    ]  # 32 x 16 pixels of it are the picture
    decoded = np.zeros((1, 21, 8), np.float32)
    decoded[0, :, :4] = [16, 8, 4, 4]
    decoded[0, 17] = [24, 4, 16, 8, 0.8, 0, 0.5, 0]
    path = write_onnx(tmp_path / "e.onnx", {"output": decoded}, (FLOAT, (1, 3, 32, 32)), NAMES)
    assert found(path, IMAGE[:100]) == [("dog", 0.4, [100, 0, 200, 50])]


def test_ultralytics_has_its_picture_in_the_middle(tmp_path: Path) -> None:
    rows = np.zeros((1, 7, 8), np.float32)
    rows[0, :, 5] = [32, 32, 20, 10, 0.1, 0.7, 0.2]
    image = IMAGE[:32, :64]
    path = write_onnx(tmp_path / "a.onnx", {"output0": rows}, (FLOAT, (1, 3, 64, 64)), NAMES)
    assert found(path, image) == [("dog", 0.7, [22, 11, 42, 21])]
    listed_rows = np.array([[[22, 27, 42, 37, 0.7, 1], [0, 0, 9, 9, 0.1, 0]]], np.float32)
    path = write_onnx(tmp_path / "b.onnx", {"output0": listed_rows}, (FLOAT, (1, 3, 64, 64)), NAMES)
    assert found(path, image) == [("dog", 0.7, [22, 11, 42, 21])]


def test_an_input_of_any_size_gets_640_pixels_or_what_the_settings_beside_it_say(tmp_path: Path) -> None:
    outputs = listed(([64, 64, 320, 640], 0.9, 0))
    path = write_onnx(tmp_path / "d.onnx", outputs, (FLOAT, (1, 3, "h", "w")), NAMES)
    assert found(path) == [("cat", 0.9, [20, 12, 100, 120])]
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 640, "width": 1280}}')
    assert found(path) == [("cat", 0.9, [10, 12, 50, 120])]
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": -1, "width": 1280}}')
    with pytest.raises(InputError, match=r"preprocessor_config\.json: describes no preparation of pictures"):
        load_detector(f"onnx:{path}")


def test_an_object_that_is_found_several_times_is_one_region(tmp_path: Path) -> None:
    box = [0.0, 0, 96, 32]
    shifted = [0.0, 8, 96, 40]  # an IoU of 24 / 40
    outputs = listed((box, 0.5, 0), (shifted, 0.9, 0), (shifted, 0.8, 1), (box, 0.7, 1), (box, 0.6, 2))
    path = write_onnx(tmp_path / "d.onnx", outputs, metadata=NAMES)
    assert [(label, score) for label, score, _ in found(path)] == [("cat", 0.9), ("dog", 0.7)]


def test_at_most_twenty_regions_are_kept_best_first(tmp_path: Path) -> None:
    boxes = [([2.0 * i, 0, 2.0 * i + 2, 9], 0.3 + i / 100, i % 3) for i in range(40)]
    path = write_onnx(tmp_path / "d.onnx", listed(*boxes), metadata=NAMES)
    assert [score for _, score, _ in found(path)] == [round(0.69 - i / 100, 3) for i in range(20)]


def test_what_no_box_can_be_is_left_out_and_noted(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    outputs = listed(
        ([-20, -20, 48, 999], 0.9, 0),
        ([nan, 0, 9, 9], 0.9, 0),
        ([0, 0, inf, 9], 0.9, 0),
        ([0, 0, 9, 9], nan, 0),
        ([30, 30, 10, 10], 0.9, 0),
        ([200, 0, 300, 9], 0.9, 0),
        ([50, 0, 90, 30], 0.8, 3),
        ([50, 0, 90, 30], 0.8, -1),
        ([60, 40, 90, 60], 1.5, 2),
        ([nan, 0, 9, 9], 0.1, 0),
    )
    path = write_onnx(tmp_path / "d.onnx", outputs, metadata=NAMES)
    detector = load_detector(f"onnx:{path}")
    regions = detector.detect([IMAGE])[0]
    assert regions.labels == ("cup", "cat")
    assert regions.scores.tolist() == [1.0, pytest.approx(0.9)]
    assert regions.boxes[1].tolist() == [0, 0, 100, 120]
    assert [note.partition(" (")[0] for note in detector_notes(detector)] == [
        "d.onnx: 3 boxes with coordinates or scores that are not finite left out",
        f"d.onnx: 2 boxes of classes beyond the 3 labels in {path}, metadata names",
        "d.onnx: 2 boxes without an area in the picture left out",
        "d.onnx: 1 box with scores above 1, which are taken for 1",
    ]


def test_a_picture_without_objects_has_no_regions(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "d.onnx", listed(([0, 0, 9, 9], 0.1, 0)), metadata=NAMES)
    regions = load_detector(f"onnx:{path}").detect([IMAGE])[0]
    assert (len(regions), regions.features.shape, regions.labels) == (0, (0, 0), ())


def test_its_name_loads_it_again_wherever_it_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = listed(([0, 0, 9, 9], 0.9, 0))
    path = write_onnx(tmp_path / "d.onnx", outputs)
    labels = tmp_path / "own.names"
    labels.write_text("cat\ndog")
    detector = load_detector(f"onnx:{path}:{labels}")
    assert detector.name.startswith(f"onnx:{path}:{labels}@")
    assert load_detector(detector.name).name == detector.name
    (tmp_path / "there").mkdir()
    for file in (path, labels):
        shutil.move(file, tmp_path / "there")
    with pytest.raises(InputError, match=r"d\.onnx.*: no such file"):
        load_detector(detector.name)
    monkeypatch.chdir(tmp_path / "there")
    assert same_model(load_detector(detector.name).name, detector.name)
    Path("own.names").write_text("cat\ncow")
    with pytest.raises(InputError, match=r"the labels or preparation of images in .* are others now"):
        load_detector(detector.name)
    write_onnx(Path("d.onnx"), listed(([0, 0, 9, 9], 0.8, 0)))
    with pytest.raises(InputError, match=r"the weights in .* are others now"):
        load_detector(detector.name)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"heat": np.zeros((1, 80, 8, 8), np.float32)}, "its outputs are heat, and those understood are"),
        ({"dets": np.zeros((1, 9, 5), np.float32), "labels": np.zeros((1, 9), np.int64)}, "outputs are dets, labels"),
        ({"boxes": np.zeros((1, 3, 4), np.float32), "scores": np.zeros((1, 2), np.float32),
          "labels": np.zeros((1, 3), np.int64)}, "gives no boxes for a picture of 96 x 64 pixels"),
        ({"output": np.zeros((1, 20, 8), np.float32)}, "output has the shape .* has 126 rows"),
        ({"output": np.zeros((1, 126, 9), np.float32)}, "has 3 labels, and the detector has 4 classes"),
        ({"output0": np.zeros((1, 9, 50), np.float32)}, "has 3 labels, and the detector has 5 classes"),
        ({"logits": np.zeros((1, 5, 2), np.float32), "pred_boxes": np.zeros((1, 5, 4), np.float32)},
         "has 3 labels, and the detector has 2 classes"),
        ({"dets": np.zeros((1, 5, 4), np.float32), "labels": np.zeros((1, 5, 9), np.float32)},
         "has 3 labels, and the detector has 9 classes"),
    ],
)  # fmt: skip
def test_outputs_that_are_no_detector_s_are_refused_in_one_line(
    tmp_path: Path, outputs: dict[str, Any], message: str
) -> None:
    path = write_onnx(tmp_path / "d.onnx", outputs, metadata=NAMES)
    with pytest.raises(InputError, match=message) as caught:
        load_detector(f"onnx:{path}").detect([IMAGE])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("picture", "others", "message"),
    [
        ((FLOAT, (1, 1, 64, 96)), {}, "in three colours"),
        ((FLOAT, (4, 3, 64, 96)), {}, "with a batch of 1"),
        ((FLOAT, (1, 3, 9000, 96)), {}, "at most 4096"),
        ((FLOAT, (3, 64, 96)), {}, "has no inputs for a picture"),
        ((FLOAT, (1, 3, 64, 96)), {"b": (FLOAT, (1, 3, 64, 96))}, "has 2 inputs for a picture"),
        ((FLOAT, (1, 3, 64, 96)), {"prompt": (INT64, (1, 8))}, "needs the input prompt"),
    ],
)
def test_inputs_that_are_not_one_picture_are_refused(
    tmp_path: Path, picture: Any, others: Any, message: str
) -> None:
    path = write_onnx(tmp_path / "d.onnx", listed(([0, 0, 9, 9], 0.9, 0)), picture, NAMES, others)
    with pytest.raises(InputError, match=message):
        load_detector(f"onnx:{path}")


def test_files_that_are_no_onnx_graph_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    for content in (b"", b"no graph", os.urandom(1000)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"d\.onnx: (is no ONNX file|has no)"):
            load_detector(f"onnx:{path}")
    whole = write_onnx(path, listed(([0, 0, 9, 9], 0.9, 0)), metadata=NAMES).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"d\.onnx: "):
        load_detector(f"onnx:{path}")


@pytest.mark.parametrize("spec", ["onnx:/nowhere/d.onnx", "onnx:", "onnx:/nowhere/d.onnx:coco", "onnx:/tmp"])
def test_a_file_that_is_not_there_is_named(spec: str) -> None:
    with pytest.raises(InputError, match=f"^{spec}: no such file"):
        load_detector(spec)


def test_an_onnx_file_without_its_prefix_is_told_how_to_be_named(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "d.onnx", listed(([0, 0, 9, 9], 0.9, 0)))
    with pytest.raises(InputError, match=f"is an ONNX file; name it onnx:{path}"):
        load_detector(str(path))


def test_without_onnxruntime_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_onnx(tmp_path / "d.onnx", listed(([0, 0, 9, 9], 0.9, 0)), metadata=NAMES)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        load_detector(f"onnx:{path}")


@pytest.mark.slow
def test_a_real_detector_finds_people_where_they_are_seen() -> None:
    """Frame 63 of the film shows a man in an orange shirt on the right; the box was read off the picture."""
    model, film = SHARED / "real" / "coco_centernet.onnx", SHARED / "real" / "real_1.mp4"
    if not (model.exists() and film.exists()):
        pytest.skip("the real film and detector are not next to this checkout")
    detector = OnnxDetector.load(str(model))
    [(_, image)] = open_video(film).frames([63])
    regions = detector.detect([image])[0]
    people = np.array(
        [box for box, label in zip(regions.boxes, regions.labels, strict=True) if label == "person"]
    )
    assert box_iou(np.array([[335.0, 5, 530, 358]]), people).max() >= 0.8
    assert detector.notes == ()
