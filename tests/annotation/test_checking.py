"""Every irregularity of an annotation is named."""

from __future__ import annotations

import re
from pathlib import Path

from samples.annotation import RAW, RAW_BOX, written
from samples.places import tvqa_plus_file
from stage.annotation.checking import check_annotation, released_size


def test_every_irregularity_is_found_with_question_and_file(tmp_path: Path) -> None:
    wide = RAW_BOX | {"left": 600, "width": 100}
    strange = RAW_BOX | {"label": "submarine"}
    entries = [
        RAW | {"qid": 1, "bbox": {"9": [wide], "12": [], "300": [strange], "15": [RAW_BOX | {"width": 0}]}},
        RAW | {"qid": 1},
        RAW | {"qid": 2, "ts": [9, 3]},
        RAW | {"qid": 3, "a0": "The same .", "a1": "The same ."},
        {k: v for k, v in RAW.items() if k not in {"answer_idx", "ts", "bbox"}} | {"qid": 4},
    ]
    path = written(tmp_path / "val.json", entries)
    questions, issues = check_annotation(path, released_size, {})
    assert [q.qid for q in questions] == [1, 3, 4]
    lines = [f"{kind}: {place}" for kind, places in issues.by_kind.items() for place in places]
    for expected in (
        r"extend beyond the frame: 'Mia' in frame 9, question 1",
        r"frames without boxes: frame 12, question 1",
        r"outside the span: frame 300 \(100\.00 s, not .*\), question 1",
        r"neither question nor right answer: 'submarine', question 1",
        r"boxes with zero area: 'Mia' in frame 15, question 1",
        r"duplicate qid: question 1 in .*val\.json, entry 2",
        r"can't be read: .*val\.json, question 2: .*before it starts",
        r"duplicate answers: question 3",
        r"without a right answer: question 4",
        r"without a span: question 4",
        r"without boxes: question 4",
    ):
        (line,) = [line for line in lines if re.search(expected, line)]
        assert "val.json" in line


def test_the_real_annotation_is_checked_without_a_question_lost() -> None:
    questions, issues = check_annotation(tvqa_plus_file("tvqa_plus_val.json"), released_size)
    assert len(questions) == 3017
    assert len(issues.by_kind["questions without boxes"]) == 36
    assert len(issues.by_kind["boxes that extend beyond the frame"]) == 199
    assert "questions that can't be read" not in issues.by_kind


def test_no_size_is_assumed_for_films_that_are_not_known(tmp_path: Path) -> None:
    beyond = RAW | {"bbox": {"7": [RAW_BOX | {"left": 1700}]}}
    outside = RAW | {"qid": 2, "bbox": {"7": [RAW_BOX | {"left": -5}]}}
    path = written(tmp_path / "val.json", [beyond, outside])
    (found,) = check_annotation(path)[1].by_kind["boxes that extend beyond the frame"]
    assert "question 2" in found
    kinds = check_annotation(path, lambda clip: (1280, 720))[1].by_kind
    assert len(kinds["boxes that extend beyond the frame"]) == 2
    assert (
        "boxes that extend beyond the frame" in check_annotation(path, {"clip": (1920, 1080)}.get)[1].by_kind
    )


def test_a_question_with_another_number_of_answers_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    entries = [RAW, RAW | {"qid": 2}, RAW | {"qid": 3, "a2": "a hat"}]
    issues = check_annotation(written(tmp_path / "val.json", entries))[1]
    (found,) = issues.by_kind["questions with another number of answers"]
    assert "3 instead of 2, question 3" in found
    assert issues.errors == {"questions with another number of answers"}
    assert check_annotation(written(tmp_path / "none.json", []))[1].errors == {"files without questions"}
