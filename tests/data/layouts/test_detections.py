"""Detections of many clips in one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage.data.layouts.detections import DetectionFile
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
