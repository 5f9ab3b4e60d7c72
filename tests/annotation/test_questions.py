"""Questions are read from and written to TVQA+'s files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samples.annotation import QUESTION, RAW, RAW_BOX, written
from samples.places import tvqa_plus_file
from stage.annotation.questions import read_questions, write_questions
from stage.errors import InputError
from stage.types import Box, Question


def test_a_tvqa_plus_question_is_read_with_its_answer_span_and_boxes(tmp_path: Path) -> None:
    assert read_questions(written(tmp_path / "val.json", [RAW])) == [QUESTION]


def test_annotated_frames_keep_the_order_of_the_file(tmp_path: Path) -> None:
    (question,) = read_questions(written(tmp_path / "val.json", [RAW]))
    assert list(question.boxes) == [13, 7]


def test_the_answer_may_be_a_number_as_in_preprocessed_files_or_absent(tmp_path: Path) -> None:
    without = {k: v for k, v in RAW.items() if k not in {"answer_idx", "ts", "bbox"}} | {"qid": 2}
    preprocessed = RAW | {"answer_idx": 0, "q_len": 5, "a0_len": 2, "a1_len": 2}
    first, second = read_questions(written(tmp_path / "val.json", [preprocessed, without]))
    assert first.answer_index == 0
    assert (second.answer_index, second.span, second.boxes) == (None, None, {})


def test_any_number_of_answers_from_two_on_is_read(tmp_path: Path) -> None:
    seven = RAW | {f"a{i}": f"answer {i}" for i in range(7)} | {"answer_idx": "6"}
    (question,) = read_questions(written(tmp_path / "val.json", [seven]))
    assert question.answers[6] == "answer 6"
    assert question.answer_index == 6


def test_json_lines_of_tvqa_are_read_and_an_unknown_span_is_none(tmp_path: Path) -> None:
    lines = [RAW | {"ts": "12.5-20.25"}, RAW | {"qid": 2, "ts": "nan-nan", "show_name": "Castle"}]
    path = tmp_path / "tvqa.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    known, unknown = read_questions(path)
    assert known.span == (12.5, 20.25)
    assert unknown.span is None


@pytest.mark.parametrize("name", ["val.json", "val.json.gz"])
def test_questions_are_the_same_after_writing_and_reading(tmp_path: Path, name: str) -> None:
    fractions = Question(
        5, "c", "Why ?", ("x", "y", "z"), None, None, {1: (Box(0.1, 0.2, 0.3, 100.7, "D’Onofrio"),)}
    )
    write_questions(tmp_path / name, [QUESTION, fractions])
    assert read_questions(tmp_path / name) == [QUESTION, fractions]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_whole_pixels_are_written_as_whole_numbers(tmp_path: Path) -> None:
    write_questions(tmp_path / "val.json", [QUESTION])
    (raw,) = json.loads((tmp_path / "val.json").read_text())
    assert raw == RAW
    assert type(raw["bbox"]["7"][0]["width"]) is int


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer_idx": 7}, "answer_idx is 7, but there are 2 answers"),
        ({"answer_idx": "x"}, "answer_idx is 'x', which is not an integer"),
        ({"answer_idx": -1}, "answer_idx is -1, but"),
        ({"q": None}, "q is None, which is not a string"),
        ({"a1": 5}, "a1 is 5, which is not a string"),
        ({"ts": [3]}, r"ts is \[3\], not a start and an end"),
        ({"ts": 3}, "ts is 3, not a start and an end"),
        ({"ts": [9, 3]}, "before it starts"),
        ({"bbox": [RAW_BOX]}, "bbox does not map frame numbers"),
        ({"bbox": {"x": []}}, "bbox has a frame 'x'"),
        ({"bbox": {"0": []}}, "bbox has a frame '0'"),
        ({"bbox": {"7": [{"label": "Mia"}]}}, "a box of frame 7 lacks left, top, width, height or label"),
        ({"bbox": {"7": ["Mia"]}}, "a box of frame 7 lacks"),
        ({"bbox": {"7": [RAW_BOX | {"width": -1}]}}, "a box of frame 7 has a negative"),
        ({"bbox": {"7": [RAW_BOX | {"left": float("nan")}]}}, "a box of frame 7 has a negative"),
    ],
)
def test_a_faulty_question_is_named_with_its_fault(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "val.json", [RAW | {"qid": 1}, RAW | change])
    with pytest.raises(InputError, match=rf"val\.json, question 1234: .*{message}"):
        read_questions(path)


@pytest.mark.parametrize("entry", [[1], "text", None, 3])
def test_an_entry_that_is_not_a_question_is_named_by_its_number(tmp_path: Path, entry: object) -> None:
    with pytest.raises(InputError, match=r"val\.json, question number 2: must be an object"):
        read_questions(written(tmp_path / "val.json", [RAW, entry]))


def test_a_missing_key_and_a_repeated_qid_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="question 1234: vid_name is missing"):
        read_questions(written(tmp_path / "a.json", [{k: v for k, v in RAW.items() if k != "vid_name"}]))
    with pytest.raises(InputError, match="question 1234: has 1 candidate answer"):
        read_questions(written(tmp_path / "b.json", [{k: v for k, v in RAW.items() if k != "a1"}]))
    with pytest.raises(InputError, match="question 1234: occurs twice"):
        read_questions(written(tmp_path / "c.json", [RAW, RAW]))


def test_a_missing_file_or_one_of_another_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json"):
        read_questions(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"object\.json: contains no list of questions"):
        read_questions(written(tmp_path / "object.json", {"a": 1}))
    (tmp_path / "bad.jsonl").write_text(json.dumps(RAW) + "\n{oops\n")
    with pytest.raises(InputError, match=r"bad\.jsonl, line 2: is not JSON"):
        read_questions(tmp_path / "bad.jsonl")


@pytest.mark.slow
def test_the_real_annotation_is_read_whole_and_survives_a_round_trip(tmp_path: Path) -> None:
    questions = read_questions(tvqa_plus_file("tvqa_plus_val.json"))
    assert len(questions) == 3017
    assert len({q.clip for q in questions}) == 431
    assert sum(len(boxes) for q in questions for boxes in q.boxes.values()) == 32682
    write_questions(tmp_path / "copy.json.gz", questions)
    assert read_questions(tmp_path / "copy.json.gz") == questions
