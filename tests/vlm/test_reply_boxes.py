"""Boxes that models print are read, in the units that they are in; and nothing that is printed raises an error."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given

from samples.replies import REPLIES
from stage.vlm.chat import BoxUnit
from stage.vlm.replies import answer_in, moments_in
from stage.vlm.reply_boxes import MOST_BOXES, SeenBox, SeenPoint, boxes_in
from stage.vlm.reply_letters import letter_in

PICTURE = (200, 100)
"""Width and height."""


@pytest.mark.parametrize(
    ("text", "unit", "boxes"),
    [
        (
            '```json\n[{"time": 1.0, "bbox_2d": [100, 200, 500, 1000], "label": "hat"}]\n```',
            "thousandths",
            [SeenBox("hat", (0.1, 0.2, 0.5, 1.0), 1.0)],
        ),
        (
            '[{"bbox_2d": [20, 20, 100, 100], "label": "hat"}]',
            "pixels",
            [SeenBox("hat", (0.1, 0.2, 0.5, 1.0))],
        ),
        ('[{"bbox": [0.1, 0.2, 0.5, 1.0], "label": "hat"}]', None, [SeenBox("hat", (0.1, 0.2, 0.5, 1.0))]),
        ('[{"box": [100, 200, 500, 900], "label": "hat"}]', None, [SeenBox("hat", (0.1, 0.2, 0.5, 0.9))]),
        (
            '[{"box_2d": [200, 100, 900, 500], "label": "hat"}]',
            "thousandths",
            [SeenBox("hat", (0.1, 0.2, 0.5, 0.9))],
        ),
        (
            "He wears a <obj>hat</obj><box>[20,20,100,100]</box>at<t>12.3</t>s.",
            "pixels",
            [SeenBox("hat", (0.1, 0.2, 0.5, 1.0), 12.3)],
        ),
        (
            "<ref>hat</ref><box>[[100, 200, 500, 900]]</box>",
            "thousandths",
            [SeenBox("hat", (0.1, 0.2, 0.5, 0.9))],
        ),
        ("hat(100,200),(500,900)", "thousandths", [SeenBox("", (0.1, 0.2, 0.5, 0.9))]),
        ("It is at [100, 200, 500, 900].", "thousandths", [SeenBox("", (0.1, 0.2, 0.5, 0.9))]),
        (
            '{"label": "hat", "bbox_2d": [[0, 0, 500, 500], [500, 500, 1000, 1000]]} I hope this helps {',
            "thousandths",
            [SeenBox("hat", (0, 0, 0.5, 0.5)), SeenBox("hat", (0.5, 0.5, 1, 1))],
        ),
    ],
)
def test_boxes_are_read_in_every_form(text: str, unit: BoxUnit | None, boxes: list[SeenBox]) -> None:
    assert boxes_in(text, PICTURE, unit).boxes == tuple(boxes)


@pytest.mark.parametrize(
    ("sides", "unit", "corners", "note"),
    [
        ("[500, 900, 100, 200]", "thousandths", (0.1, 0.2, 0.5, 0.9), "wrong way round"),
        ("[-10, 0, 500, 500]", "thousandths", (0, 0, 0.5, 0.5), "cut"),
        ("[100, 100, 800, 900]", "pixels", (0.1, 0.1, 0.8, 0.9), "read as thousandths"),
        ("[0.1, 0.2, 0.5, 0.9]", "thousandths", (0.1, 0.2, 0.5, 0.9), "fractions"),
        ("[20, 20, 100, 90]", None, (0.1, 0.2, 0.5, 0.9), "not known in what units"),
    ],
)
def test_a_box_that_is_odd_is_read_as_what_fits_with_a_note(
    sides: str, unit: BoxUnit | None, corners: tuple[float, ...], note: str
) -> None:
    shown = boxes_in(f'[{{"bbox_2d": {sides}, "label": "x"}}]', PICTURE, unit)
    assert [box.corners for box in shown.boxes] == [corners]
    assert note in " ".join(shown.notes)


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ('{"bbox_2d": [1, 2, 3]}', "four finite numbers"),
        ('{"bbox_2d": [1, 2, 3, NaN]}', "four finite numbers"),
        ('{"bbox_2d": [1, 2, 3, 1e999]}', "four finite numbers"),
        ('{"bbox_2d": [1, 2, 3, null]}', "four finite numbers"),
        ('{"bbox_2d": {"x": 1}}', "no box could be read"),
        ('{"bbox_2d": "everywhere"}', "four finite numbers"),
        ('{"bbox_2d": [5, 5, 5, 9]}', "without an area"),
        ('{"bbox_2d": [1, 2, 3, ', "cut off"),
        ("I see no hat.", "no box could be read"),
        ('<points coords="1.0 1 500">hat</points>', "point"),
    ],
)
def test_what_is_no_box_is_left_out_with_a_note(entry: str, note: str) -> None:
    shown = boxes_in(entry, PICTURE, "thousandths")
    assert shown.boxes == ()
    assert note in " ".join(shown.notes)


@pytest.mark.parametrize("text", ["[]", "```json\n[]\n```", ""])
def test_an_empty_list_is_an_answer_and_needs_no_note(text: str) -> None:
    assert boxes_in(text, PICTURE, "thousandths").notes == ()


def test_of_very_many_boxes_the_first_are_read() -> None:
    shown = boxes_in('{"bbox_2d": [0, 0, 5, 5], "label": "x"},' * 300, PICTURE, "thousandths")
    assert len(shown.boxes) == MOST_BOXES
    assert "300 boxes" in shown.notes[0]


def test_points_are_read_in_thousandths_with_their_second_or_in_percent() -> None:
    text = '<points coords="1.5 1 250 500 2 750 1000; 2.0 1 260 510">hat</points>'
    assert boxes_in(text, PICTURE, None).points == (
        SeenPoint("hat", 0.25, 0.5, 1.5), SeenPoint("hat", 0.75, 1.0, 1.5), SeenPoint("hat", 0.26, 0.51, 2.0),
    )  # fmt: skip
    text = '<point x="25.0" y="50" alt="hat">hat</point>'
    assert boxes_in(text, PICTURE, None).points == (SeenPoint("hat", 0.25, 0.5),)


@pytest.mark.parametrize(
    "piece",
    [
        "(", "[", "{", "1,", "-1 - ", "answer is ", "A or ", "from 1 to ", "<obj>", "<obj>a</obj><box>", "[1,1,1,",
        '<points coords="', '<point x="1" ', '{"bbox":[', "<answer>", "<think>", "```",
        "(1,1),(1,", "999999999 ", " ",
    ],
)  # fmt: skip
def test_a_long_reply_is_read_in_a_moment(piece: str) -> None:
    start = process_time()
    for text in (piece * 20_000, "x" + piece * 20_000, piece * 1_000 + "x"):
        boxes_in(text, PICTURE, "thousandths")
        moments_in(text, 60.0)
        letter_in(text, "ABCDE")
        answer_in(text)
    assert process_time() - start < 5


@given(REPLIES)
def test_no_reply_raises_an_error(text: str) -> None:
    for unit in ("thousandths", "pixels", None):
        shown = boxes_in(text, PICTURE, unit)  # type: ignore[arg-type]
        for box in shown.boxes:
            left, top, right, bottom = box.corners
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
            assert box.label.isprintable()
        assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in shown.points)
