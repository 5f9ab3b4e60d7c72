"""The work of several people becomes one annotation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from samples.collecting import QUESTION, box, content, saved
from stage.annotation.checking import check_annotation
from stage.annotation.questions import read_questions, write_questions
from stage.collecting.merging import merge, mutual_iou
from stage.collecting.task import Task, render_task
from stage.types import Box


def test_work_saved_by_the_page_becomes_an_annotation(tmp_path: Path, collecting_task: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)))
    merged = merge([QUESTION, replace(QUESTION, qid=6)], [done])
    write_questions(tmp_path / "annotation.json", merged.questions)
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question == replace(
        QUESTION, span=(1.4, 5.2), boxes={7: (Box(10, 8, 50, 28, "Mia"), Box(60, 8, 100, 28, "book")), 13: ()}
    )
    assert not merged.issues.by_kind
    _, issues = check_annotation(tmp_path / "annotation.json")
    assert list(issues.by_kind) == ["frames without boxes"]
    raw = json.loads((tmp_path / "annotation.json").read_text())[0]["bbox"]["7"][0]
    assert raw == {"img_id": 7, "label": "Mia", "left": 10, "top": 8, "width": 40, "height": 20}


def test_questions_that_nobody_annotated_are_kept_on_request(tmp_path: Path, collecting_task: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(collecting_task)))
    other = replace(QUESTION, qid=4)
    assert [q.qid for q in merge([other, QUESTION], [done]).questions] == [5]
    assert merge([other, QUESTION], [done], rest=True).questions[0] == other


def test_the_first_of_several_submissions_counts_and_their_agreement_is_reported(
    tmp_path: Path, collecting_task: Task
) -> None:
    task = content(render_task(collecting_task))
    first = saved(tmp_path / "a.json", task)
    frames = {"7": {"boxes": [box("Mia", left=30), box("Leo")]}, "19": {"boxes": [box("book")]}}
    second = saved(tmp_path / "b.json", task, span=[3.2, 7.2], frames=frames)
    merged = merge([QUESTION], [first, second])
    assert merged.questions[0].span == (1.4, 5.2)
    (two,) = merged.agreements
    assert two.files == (first, second)
    assert two.span == pytest.approx(2.0 / 5.8)
    # Only frame 7 was annotated by both. Mia's boxes share half their width; each other box has no partner.
    assert two.boxes == pytest.approx({"mia": 20 / 60, "book": 0, "leo": 0})


def test_boxes_of_two_people_are_matched_by_overlap() -> None:
    one = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]
    assert mutual_iou(one, one[::-1]) == 1
    assert mutual_iou(one, [Box(20, 0, 30, 5)]) == pytest.approx(0.5 / 2)
    assert mutual_iou([], one) == 0


def test_boxes_of_two_people_are_matched_such_that_all_agree_best() -> None:
    one = [Box(11, 0, 21, 10), Box(7, 0, 17, 10)]
    other = [Box(10, 0, 20, 10), Box(14, 0, 24, 10)]
    # The first two overlap most, 9 / 11, but that would leave 3 / 17 for the others.
    assert mutual_iou(one, other) == pytest.approx(7 / 13)
