"""What a data set consists of."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.places import tvqa_plus_file
from stage.annotation.checking import released_size
from stage.annotation.questions import read_questions
from stage.annotation.statistics import draw_statistics, statistics, table_rows
from stage.types import Box, Question


def test_the_real_annotation_has_the_counts_of_the_paper_and_two_plots(tmp_path: Path) -> None:
    found = statistics(read_questions(tvqa_plus_file("tvqa_plus_val.json")), released_size)
    shown = dict(table_rows(found))
    assert shown["questions"] == "3,017"
    assert shown["clips"] == "431"
    assert shown["annotated frames"] == "15,309"
    assert shown["boxes"] == "32,682"
    assert shown["boxes per frame"] == "2.13"
    assert shown["mean span length"] == "7.26 s"
    assert shown["questions beginning with 'what'"] == "1,826 (60.5 %)"
    for path in draw_statistics(found, tmp_path / "plots"):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("label", ["$\\frac$", "$x", "a\x1b[2J\0b", "\udc80", "m" * 100_000, "[/b]", ""])
def test_any_label_can_be_plotted(label: str, tmp_path: Path) -> None:
    boxes = {1: (Box(0, 0, 9, 9, label), Box(0, 0, 9, 9, "mug"))}
    found = statistics([Question(1, "a", "Why ?", ("x", "y"), 0, (0, 1), boxes)], lambda clip: (10, 10))
    assert all(path.stat().st_size < 200_000 for path in draw_statistics(found, tmp_path))


def test_statistics_of_questions_without_truth_have_no_means() -> None:
    shown = dict(table_rows(statistics([Question(1, "clip", "Why ?", ("x", "y"))])))
    assert (shown["boxes per frame"], shown["mean span length"]) == ("-", "-")


def test_areas_of_boxes_are_shares_of_their_own_film() -> None:
    boxes = {1: (Box(0, 0, 960, 540, "mug"),)}
    questions = [Question(i, clip, "Why ?", ("x", "y"), 0, None, boxes) for i, clip in enumerate("abc")]
    sizes = {"a": (1920, 1080), "b": (960, 540)}
    assert statistics(questions, sizes.get).box_areas == (0.25, 1.0)
    assert statistics(questions).box_areas == ()
