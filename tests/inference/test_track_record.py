"""Track records: read from model folders, and what they make of a model's certainty."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from stage.errors import InputError
from stage.inference.track_record import believed, fitted_temperature, read_records, tempered
from stage.types import TrackRecord

OWN = {"kind": "drawn episodes", "questions": 768, "right": 0.9, "chance": 0.2}


def test_a_temperature_flattens_probabilities_and_keeps_their_order() -> None:
    assert tempered([0.8, 0.2], 1) == (0.8, 0.2)
    assert tempered([0.8, 0.2], 2) == pytest.approx((2 / 3, 1 / 3))  # square roots have the ratio 2
    assert tempered([1.0, 0.0], 2) == (1.0, 0.0)


def test_a_model_that_is_right_by_luck_alone_believes_nothing() -> None:
    by_luck = TrackRecord("films", 100, 0.2, 0.2)
    assert believed([0.99999, 0.00001, 0, 0, 0], by_luck) == pytest.approx([0.2] * 5)
    assert believed([0.99999, 0.00001, 0, 0, 0], TrackRecord("films", 100, 0.1, 0.2)) == pytest.approx(
        [0.2] * 5
    )


def test_no_probability_is_above_the_share_of_right_answers() -> None:
    sometimes_right = TrackRecord("films", 100, 0.4, 0.2)
    assert believed([1, 0, 0, 0, 0], sometimes_right) == pytest.approx([0.4, 0.15, 0.15, 0.15, 0.15])


def test_the_fitted_temperature_makes_certainty_what_accuracy_is() -> None:
    """Of ten answers given 0.9 each, six are right: then 0.6 would have been honest, by T = log 9 / log 1.5."""
    fitted = fitted_temperature([[0.9, 0.1]] * 10, [0] * 6 + [1] * 4)
    assert fitted == pytest.approx(math.log(9) / math.log(1.5), rel=1e-2)
    assert tempered([0.9, 0.1], fitted)[0] == pytest.approx(0.6, abs=1e-3)


def test_records_are_read_from_a_model_folder(tmp_path: Path) -> None:
    assert read_records(tmp_path) is None
    (tmp_path / "records.json").write_text(json.dumps({"own": {**OWN, "temperature": 1.5, "span_iou": 0.6}}))
    records = read_records(tmp_path)
    assert records is not None
    assert records.own.record == TrackRecord("drawn episodes", 768, 0.9, 0.2, 0.6)
    assert records.own.temperature == 1.5
    assert records.other is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "records.json"),
        ("[]", "whole file"),
        (json.dumps({"own": {**OWN, "right": 1.2}}), "own.right"),
        (json.dumps({"own": {**OWN, "temperature": 0}}), "own.temperature"),
        (json.dumps({"own": OWN, "others": OWN}), "others"),
    ],
)
def test_broken_records_are_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "records.json").write_text(content)
    with pytest.raises(InputError, match=rf"records\.json.*{reason}|{reason}"):
        read_records(tmp_path)
