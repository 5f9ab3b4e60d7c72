"""Every irregularity of an annotation is named."""

from __future__ import annotations

import re
from pathlib import Path

from samples.annotation import RAW, RAW_BOX, written
from samples.places import tvqa_plus_file
from stage.annotation.checking import check_annotation


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
    questions, issues = check_annotation(path)
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
    questions, issues = check_annotation(tvqa_plus_file("tvqa_plus_val.json"))
    assert len(questions) == 3017
    assert len(issues.by_kind["questions without boxes"]) == 36
    assert len(issues.by_kind["boxes that extend beyond the frame"]) == 199
    assert "questions that can't be read" not in issues.by_kind
