"""Labels of classes, wherever exporters and people keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.errors import InputError
from stage.features.regions.labels import COCO, COCO_IDS, LARGEST_TEXT, PACKAGED, find_labels, read_labels


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\ndog\n\n", {0: "cat", 1: "dog"}),
        ("\ufeffcat\r\n  traffic   light \r\n", {0: "cat", 1: "traffic light"}),
        ("0: cat\n\n2: dog\n", {0: "cat", 2: "dog"}),
        ("1 cat\n2 traffic light\n", {1: "cat", 2: "traffic light"}),
        ("0,cat\n1,dog", {0: "cat", 1: "dog"}),
        ("background\ncat\nN/A\ndog", {1: "cat", 3: "dog"}),
        ("7 up\ncola", {0: "7 up", 1: "cola"}),
        ("c\x1b[31mat\ndog", {0: "c[31mat", 1: "dog"}),
    ],
)
def test_lines_are_labels_in_order_or_numbered(tmp_path: Path, text: str, expected: dict[int, str]) -> None:
    assert read_labels(written(tmp_path / "labels.txt", text)).names == expected


def test_a_json_file_has_a_list_or_an_object(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path / "a.json", '["cat", "dog"]')).names == {0: "cat", 1: "dog"}
    assert read_labels(written(tmp_path / "b.json", '{"0": "cat", "2": "dog"}')).count == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat\n\ndog\n", "line 2 is blank"),
        ("0: cat\n0: dog\n", "line 2 names class 0 again"),
        ("", "is no list of labels"),
        ("N/A\n???\n", "names no class"),
        ("a" * 300, "at most 200 characters"),
        ("a\n" * (LARGEST_TEXT // 2 + 1), "is larger than"),
    ],
)
def test_a_file_of_which_the_classes_are_not_clear_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=rf"labels\.txt.*{message}"):
        read_labels(written(tmp_path / "labels.txt", text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_labels(tmp_path / "labels.txt")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("names", "{0: 'person', 1: \"driver's cab\"}", {0: "person", 1: "driver's cab"}),
        ("labels", '["cat", "dog"]', {0: "cat", 1: "dog"}),
        ("classes", "cat,dog", {0: "cat", 1: "dog"}),
        ("classes", "cat\ndog", {0: "cat", 1: "dog"}),
        ("id2label", '{"0": "cat", "2": "dog"}', {0: "cat", 2: "dog"}),
        (
            "rfdetr_inference",
            '{"class_names": ["x"], "class_id_to_name": {"1": "person", "3": "car"}}',
            {1: "person", 3: "car"},
        ),
    ],
)
def test_metadata_are_read_as_exporters_write_them(
    tmp_path: Path, key: str, value: str, expected: dict[int, str]
) -> None:
    assert find_labels(tmp_path / "d.onnx", {key: value}, None).names == expected


@pytest.mark.parametrize(
    "value",
    [
        "{0: __import__('os').getcwd()}",
        "[" * 100_000,
        "{0: 'a', 'b': 'c'}",
        "{-1: 'a'}",
        "{100000: 'a'}",
        "[1, 2]",
        "[[], []]",
        "42",
    ],
)
def test_metadata_are_values_and_never_run(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=r"d\.onnx, metadata names: .*(labels|a file|write a text)"):
        find_labels(tmp_path / "d.onnx", {"names": value}, None)


def test_labels_are_taken_from_the_first_place_that_has_any(tmp_path: Path) -> None:
    model = tmp_path / "onnx" / "d.onnx"
    model.parent.mkdir()
    with pytest.raises(InputError, match=r"has no labels of its classes; write them into d_labels\.txt"):
        find_labels(model, {}, None)
    written(model.parent / "coco_labels.txt", "last")
    assert find_labels(model, {}, None).names == {0: "last"}
    written(model.parent / "more_labels.txt", "other")
    with pytest.raises(InputError, match=r"coco_labels\.txt and more_labels\.txt may both be its labels"):
        find_labels(model, {}, None)
    written(tmp_path / "config.json", '{"id2label": {"0": "config"}}')
    assert find_labels(model, {}, None).names == {0: "config"}
    written(model.parent / "d_labels.txt", "beside")
    assert find_labels(model, {}, None).names == {0: "beside"}
    written(model.parent / "d.txt", "same name")
    assert find_labels(model, {}, None).names == {0: "same name"}
    assert find_labels(model, {"names": "['inside']"}, None).names == {0: "inside"}
    named = written(tmp_path / "named.txt", "named")
    assert find_labels(model, {"names": "['inside']"}, str(named)).names == {0: "named"}
    assert find_labels(model, {}, "coco").names[79] == "toothbrush"


def test_coco_is_known_in_its_order_and_by_its_ids() -> None:
    assert len(COCO) == len(COCO_IDS) == 80
    by_ids = PACKAGED["coco91"]
    assert by_ids.count == 91
    known = {
        1: "person",
        11: "fire hydrant",
        13: "stop sign",
        44: "bottle",
        67: "dining table",
        90: "toothbrush",
    }
    assert {number: by_ids.names[number] for number in known} == known
    assert 12 not in by_ids.names
