"""Prediction files are written and read, and faults in them are named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples.annotation import written
from stage.annotation.predictions import read_predictions, tabulate_predictions, write_predictions
from stage.errors import InputError
from stage.types import Box, Prediction, WordBoxes

PREDICTION = Prediction(
    1234,
    "clip",
    answer_index=1,
    probabilities=(0.25, 0.75),
    spans=((0.0, 2.0), (1.0, 5.0)),
    grounding=(
        WordBoxes(1, 7, "Mia", (Box(10, 20, 40.5, 60, "Mia", 0.9), Box(0, 0, 5, 5, "Mia", 0.3))),
        WordBoxes(0, 7, "mug", ()),
        WordBoxes(0, 7, "spaceship", (Box(0, 0, 5, 5, "spaceship", 0.4),)),
    ),
)
VOCABULARY = {"mia": 4, "mug": 2}


def test_predictions_are_written_in_the_layout_of_a_submission(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json", [PREDICTION], VOCABULARY)
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "ts_answer": {"1234": [[1.0, 5.0], 1]},
        "raw_bbox": [
            {
                "0": [{"pred": [], "bbox": [], "word": 2, "qid": 1234, "vid_name": "clip", "img_idx": 7}],
                "1": [
                    {
                        "pred": [0.3, 0.9],
                        "bbox": [[0, 0, 5, 5], [10, 20, 40.5, 60]],
                        "word": 4,
                        "qid": 1234,
                        "vid_name": "clip",
                        "img_idx": 7,
                    }
                ],
            }
        ],
    }


def test_a_table_of_predictions_is_the_same_from_memory_and_from_a_file(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json.gz", [PREDICTION], VOCABULARY)
    read = read_predictions(tmp_path / "out.json.gz")
    made = tabulate_predictions([PREDICTION], VOCABULARY)
    assert read.boxes is not None
    assert made.boxes is not None
    for a, b in ((read.qid, made.qid), (read.answer, made.answer), (read.span, made.span)):
        np.testing.assert_array_equal(a, b)
    for column in ("qid", "hypothesis", "frame", "word", "score", "corners"):
        np.testing.assert_array_equal(getattr(read.boxes, column), getattr(made.boxes, column))
    assert read.boxes.corners.tolist() == [[0, 0, 5, 5], [10, 20, 40.5, 60]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred": [0.5, 0.6]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"bbox": [[1, 2, 3]]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"bbox": [[1, 2, 3, None]]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"pred": [float("inf")]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"word": "mia"}, "question 1: the boxes of word 'mia' in frame 7"),
        ({"qid": 9}, "raw_bbox has boxes of question 9, which ts_answer lacks"),
    ],
)
def test_a_faulty_box_is_named_with_its_question(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    sound = {"pred": [0.5], "bbox": [[1, 2, 3, 4]], "word": 4, "qid": 1, "img_idx": 7}
    content = {"ts_answer": {"1": [[0, 1], 0]}, "raw_bbox": [{"0": [sound, sound | change]}]}
    with pytest.raises(InputError, match=message):
        read_predictions(written(tmp_path / "out.json", content))


@pytest.mark.parametrize(
    "value",
    [[[0, 1]], [[0], 1], 3, [[0, 1], 10**30], [[0, 1], float("inf")], [["a", 1], 0], [[float("nan"), 1], 0]],
)
def test_a_faulty_answer_is_named_with_its_question(tmp_path: Path, value: object) -> None:
    content = {"ts_answer": {"7": [[0, 1], 0], "55": value}, "raw_bbox": []}
    with pytest.raises(InputError, match=r"out\.json, question 55"):
        read_predictions(written(tmp_path / "out.json", content))


def test_a_truncated_prediction_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.json.gz"
    path.write_bytes(gzip.compress(b'{"ts_answer": {}}')[:-9])
    with pytest.raises(InputError, match=r"out\.json\.gz"):
        read_predictions(path)
    for content in ([], {"raw_bbox": []}, {"ts_answer": []}):
        with pytest.raises(InputError, match="is not a prediction file"):
            read_predictions(written(tmp_path / "other.json", content))
    with pytest.raises(InputError, match="raw_bbox"):
        read_predictions(written(tmp_path / "third.json", {"ts_answer": {}, "raw_bbox": [3]}))
    entry = {"pred": [], "bbox": [], "qid": 1, "img_idx": 7}
    with pytest.raises(InputError, match="has no word"):
        read_predictions(written(tmp_path / "fourth.json", {"ts_answer": {}, "raw_bbox": [{"0": [entry]}]}))
