"""Drawing boxes on an annotation page, in a browser.

The film is 160 x 48 pixels, and the words to draw are Mia, Leo, guitar and book.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.browser import Annotator, Screen
from samples.collecting import written
from stage.collecting.task import Task


@pytest.fixture
def at_work(screen: Screen, tmp_path: Path, collecting_task: Task) -> Annotator:
    """Somebody who has confirmed the span, and is to draw a box around Mia in frame 7."""
    annotator = Annotator(screen, written(tmp_path, collecting_task))
    annotator.click("right")
    return annotator


def near(*boxes: list[object]) -> list[object]:
    """Boxes that are right to a pixel: the screen's pixels are not the film's."""
    return [[box[0], *(pytest.approx(side, abs=1) for side in box[1:])] for box in boxes]


MIA = ["Mia", 40, 20, 30, 20]


def test_a_drag_draws_a_box_in_pixels_of_the_film(at_work: Annotator) -> None:
    at_work.draw((70, 40), (40, 20))
    assert at_work.boxes() == near(MIA)
    at_work.draw((150, 30), (300, 300))
    assert at_work.boxes() == near(MIA, ["Leo", 150, 30, 10, 18])


def test_a_box_that_starts_at_a_finished_one_is_a_new_box(at_work: Annotator) -> None:
    at_work.draw((40, 20), (70, 40))
    mia = at_work.boxes()[0]
    for left, top in ((40, 20), (70, 20), (40, 40), (70, 40), (55, 30)):
        at_work.draw((left, top), (110, 44))
        assert at_work.boxes() == [mia, *near(["Leo", left, top, 110 - left, 44 - top])]
        at_work.press("z")
        assert at_work.boxes() == [mia]


def test_a_box_that_starts_on_the_label_of_a_finished_one_is_a_new_box(at_work: Annotator) -> None:
    at_work.draw((40, 20), (70, 40))
    mia = at_work.boxes()[0]
    x, y = at_work.middle("#tags .tag")
    ((to_x, to_y),) = at_work.on_screen((120, 44))
    at_work.screen.drag(at_work.page, (x, y), (x + 20, y + 10), (to_x, to_y))
    assert at_work.boxes()[0] == mia
    assert at_work.boxes()[1][0] == "Leo"


def test_a_box_is_selected_by_a_tap_and_then_moved_and_resized(at_work: Annotator) -> None:
    at_work.draw((40, 20), (70, 40))
    at_work.tap((55, 30))
    at_work.draw((70, 40), (80, 30))
    assert at_work.boxes() == near(["Mia", 40, 20, 40, 10])
    x, y = at_work.middle("#tags .tag")
    (origin, to) = at_work.on_screen((0, 0), (-20, 10))
    at_work.screen.drag(at_work.page, (x, y), (x + 2, y + 2), (x + to[0] - origin[0], y + to[1] - origin[1]))
    assert at_work.boxes() == near(["Mia", 20, 30, 40, 10])
    # Elsewhere, the next word is drawn.
    assert "draw “Leo”" in at_work.text("to-do")
    at_work.draw((100, 5), (120, 25))
    assert at_work.boxes() == near(["Mia", 20, 30, 40, 10], ["Leo", 100, 5, 20, 20])


def test_a_corner_stays_under_the_pointer_where_it_was_gripped(at_work: Annotator) -> None:
    at_work.draw((40, 20), (70, 40))
    at_work.tap((55, 30))
    corner, inner, to = at_work.on_screen((70, 40), (68, 38), (88, 43))
    at_work.screen.drag(at_work.page, inner, corner, to)
    assert at_work.boxes() == near(["Mia", 40, 20, 50, 25])


def test_a_finished_frame_changes_only_by_intent(at_work: Annotator) -> None:
    at_work.draw((40, 20), (70, 40))
    at_work.finish_frame()
    at_work.draw((100, 10), (130, 30))
    assert at_work.boxes() == near(MIA)
    at_work.page.locator("#concepts .pick").first.click()
    at_work.draw((100, 10), (130, 30))
    assert at_work.boxes() == near(MIA, ["Mia", 100, 10, 30, 20])


@pytest.mark.parametrize("late", [False, True])
def test_pinching_draws_no_box(phone: Screen, tmp_path: Path, collecting_task: Task, late: bool) -> None:
    at_work = Annotator(phone, written(tmp_path, collecting_task))
    at_work.click("right")
    one, other, wide, wider = at_work.on_screen((60, 20), (90, 30), (20, 5), (140, 45))
    if late:
        phone.fingers(at_work.page, "touchStart", [one])
        phone.fingers(at_work.page, "touchMove", [wide])
    phone.fingers(at_work.page, "touchStart", [wide if late else one, other])
    phone.fingers(at_work.page, "touchMove", [wide, wider])
    phone.fingers(at_work.page, "touchEnd", [wide])
    phone.fingers(at_work.page, "touchMove", [one])
    phone.fingers(at_work.page, "touchEnd", [])
    assert at_work.boxes() == []
    at_work.draw((40, 20), (70, 40))
    assert at_work.boxes() == near(MIA)


def test_escape_ends_a_drag_without_a_box(desktop: Screen, tmp_path: Path, collecting_task: Task) -> None:
    at_work = Annotator(desktop, written(tmp_path, collecting_task))
    at_work.click("right")
    start, end = at_work.on_screen((40, 20), (70, 40))
    desktop.press(at_work.page, start)
    desktop.move(at_work.page, end)
    at_work.press("Escape")
    desktop.release(at_work.page)
    assert at_work.boxes() == []
    assert at_work.page.locator("#boxes .box").count() == 0


def test_everything_can_be_done_by_keys_alone(desktop: Screen, tmp_path: Path, collecting_task: Task) -> None:
    at_work = Annotator(desktop, written(tmp_path, collecting_task))
    at_work.press("Enter", "b", "ArrowLeft", "ArrowDown", "Shift+ArrowRight")
    assert at_work.boxes() == [["Mia", 62, 21, 34, 10]]
    at_work.press("Escape", "x", "x", "4", "b", "Delete", "x", "ArrowRight")
    assert at_work.text("time") == "frame 2 of 3, at 4.3 s"
    at_work.press("c", "3", "x", "ArrowRight", "c", "x")
    assert at_work.text("forward") == "Go to an unfinished frame Enter"
    at_work.press("Enter")
    assert at_work.text("time") == "frame 2 of 3, at 4.3 s"
    at_work.press("x")
    assert at_work.text("progress") == "1 of 1 done"
    (question,) = at_work.save()["questions"]
    assert question["finished"]
    assert question["frames"]["13"] == {
        "boxes": [{"label": "Mia", "left": 62, "top": 21, "width": 34, "height": 10}],
        "not_visible": ["Leo", "book", "guitar"],
    }
