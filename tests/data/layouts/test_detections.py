"""Detections of many clips in one JSON object."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage.data.layouts.detections import DetectionFile, detected_from_json
from stage.errors import InputError


def test_detections_are_found_in_a_file_of_any_spacing_and_spelling(tmp_path: Path) -> None:
    content = {
        "clip one": {"boxes": [[[1, 2, 3, 4]], []], "counts": [1, 0], "object": [["café {"], []]},
        'zwei "ü"': {"boxes": [[]], "counts": [0], "object": [[]]},
    }
    for name, text in (
        ("a", json.dumps(content)),
        ("b", json.dumps(content, ensure_ascii=False, indent=3)),
        ("c", "\n " + json.dumps(content, separators=(",", ":"))),
    ):
        (tmp_path / name).write_text(text)
        found = DetectionFile(tmp_path / name)
        assert list(found.byte_ranges) == list(content)
        assert found.clip("clip one").labels == [("café {",), ()]
        assert found.clip("clip one").boxes[0].tolist() == [[1, 2, 3, 4]]
        assert found.clip('zwei "ü"').counts == [0]
    (tmp_path / "half").write_text(json.dumps(content)[:-9])
    with pytest.raises(InputError, match="is incomplete"):
        DetectionFile(tmp_path / "half")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400])
def test_boxes_that_are_not_finite_are_named(tmp_path: Path, value: str) -> None:
    (tmp_path / "a").write_text(
        '{"clip": {"boxes": [[[1, 2, 3, VALUE]]], "object": [["cup"]]}}'.replace("VALUE", value)
    )
    with pytest.raises(InputError, match=r"a, clip clip: boxes and object can't be read"):
        DetectionFile(tmp_path / "a").clip("clip")


def test_a_file_that_is_replaced_after_it_was_scanned_is_an_error(tmp_path: Path) -> None:
    def entry(x: int) -> dict[str, object]:
        return {"boxes": [[[x, 2, 3, 4]]], "object": [["cup"]]}

    path = tmp_path / "a"
    path.write_text(json.dumps({"one": entry(1), "two": entry(1)}))
    found = DetectionFile(path)
    assert found.clip("one").boxes[0][0, 0] == 1
    (tmp_path / "b").write_text(json.dumps({"two": entry(8), "one": entry(9)}))
    os.replace(tmp_path / "b", path)
    for reader in (found, pickle.loads(pickle.dumps(found))):
        with pytest.raises(InputError, match="was changed while it was in use"):
            reader.clip("two")
    path.unlink()
    with pytest.raises(InputError, match=r"can't be read|was removed"):
        found.clip("two")


@pytest.mark.parametrize(
    "text", ['{"a": {}} {"b": {}}', '{"a": {}, "a": {}}', "{1: {}}", '{"a": {}}}', "[]", ""]
)
def test_files_that_are_no_single_object_of_clips_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(InputError, match="is not a JSON object of clips"):
        DetectionFile(tmp_path / "a")


CONTENT = json.dumps(
    {name: {"boxes": [[[1, 2, 3, 4]], []], "object": [["cup"], []]} for name in ("one", "zwei \u00fc")}
).encode()


@given(st.integers(0, len(CONTENT)), st.binary(max_size=3), st.integers(0, 3))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_file_is_an_error_or_complete(
    tmp_path_factory: pytest.TempPathFactory, at: int, inserted: bytes, removed: int
) -> None:
    path = tmp_path_factory.mktemp("detections") / "a"
    path.write_bytes(CONTENT[:at] + inserted + CONTENT[at + removed :])
    try:
        found = DetectionFile(path)
        clips = [found.clip(name) for name in found.byte_ranges]
    except InputError:
        return
    assert len(clips) == 2  # a name, a label or a number may be another one, but no clip is lost
    assert all(
        len(boxes) == len(labels)
        for clip in clips
        for boxes, labels in zip(clip.boxes, clip.labels, strict=True)
    )


@given(
    st.fixed_dictionaries(
        {
            "boxes": st.lists(st.lists(st.lists(st.floats() | st.integers(), max_size=5) | st.none())),
            "object": st.lists(st.lists(st.text() | st.none())),
        }
    )
)
def test_detections_of_any_content_are_an_error_or_boxes_with_labels(raw: dict[str, object]) -> None:
    try:
        found = detected_from_json(raw, "here")
    except InputError:
        return
    pairs = zip(found.boxes, found.labels, strict=True)
    assert all(boxes.shape == (len(labels), 4) and np.isfinite(boxes).all() for boxes, labels in pairs)
