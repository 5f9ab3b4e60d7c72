"""A question in TVQA+'s format, and the `Question` that is read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stage.types import Box, Question

RAW_BOX = {"img_id": 7, "label": "Mia", "left": 10, "top": 20, "width": 30, "height": 40}
RAW: dict[str, Any] = {
    "qid": 1234,
    "vid_name": "clip",
    "q": "What is Mia holding ?",
    "a0": "a mug",
    "a1": "a book",
    "answer_idx": "1",
    "ts": [1.5, 4],
    "bbox": {"13": [], "7": [RAW_BOX]},
}
BOXES = {13: (), 7: (Box(10, 20, 40, 60, "Mia"),)}
QUESTION = Question(1234, "clip", "What is Mia holding ?", ("a mug", "a book"), 1, (1.5, 4.0), BOXES)


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path
