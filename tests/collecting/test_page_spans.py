"""Setting spans on an annotation page, in a browser. The film is 8 seconds long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.browser import Annotator, Screen
from samples.collecting import QUESTION, written
from stage.collecting.task import Task


@pytest.fixture
def at_work(screen: Screen, tmp_path: Path, collecting_task: Task) -> Annotator:
    """Somebody who sets a span that was given as 1 to 2 seconds."""
    return Annotator(screen, written(tmp_path, collecting_task, replace(QUESTION, span=(1.0, 2.0))))


def test_a_typed_end_takes_the_other_one_along_and_says_so(at_work: Annotator) -> None:
    at_work.type("start", "5")
    assert at_work.span == (5, 6)
    assert at_work.text("span-note") == "The end has moved along, to 6.0 s."
    assert at_work.text("time") == "5.3 s of 8.0 s"  # the frame nearest to what was typed
    at_work.type("end", "7.5")
    assert at_work.span == (5, 7.5)
    assert at_work.text("span-note") == ""
    at_work.type("end", "3")
    assert at_work.span == (2, 3)
    assert at_work.text("span-note") == "The start has moved along, to 2.0 s."


def test_a_typed_time_beyond_the_film_becomes_its_end_and_that_is_said(at_work: Annotator) -> None:
    at_work.type("end", "500")
    assert at_work.span == (1, 8)
    assert at_work.text("span-note") == "The film ends at 8.0 s."
    at_work.type("start", "-3")
    assert at_work.span == (0, 8)
    assert at_work.text("span-note") == "The film starts at 0.0 s."
    at_work.type("start", "")
    assert at_work.span == (0, 8)
    assert at_work.text("span-note") == "Type a time in seconds, such as 12.5."


def test_buttons_and_keys_set_the_ends_at_the_frame_that_is_shown(at_work: Annotator) -> None:
    at_work.page.locator("#strip a").nth(4).click()  # frame 13, at 4.33 s
    at_work.click("start-here")
    assert at_work.span == (4.3, 5.3)
    at_work.press("ArrowRight", "]")
    assert at_work.span == (4.3, 5.4)
    at_work.press("z")
    assert at_work.span == (4.3, 5.3)


@pytest.mark.parametrize(("handle", "end"), [("handle-start", 0), ("handle-end", 1)])
def test_a_handle_stays_under_the_pointer_where_it_was_gripped(
    at_work: Annotator, handle: str, end: int
) -> None:
    at_work.type("end", "6")
    span = [1.0, 6.0]
    line = at_work.page.locator("#line").bounding_box()
    assert line
    for grip, seconds in ((-10, 1), (0, -0.5), (10, 0.5)):
        x, y = at_work.middle(f"#{handle}")
        at_work.screen.drag(at_work.page, (x + grip, y))
        assert at_work.span == tuple(span)
        by = seconds * line["width"] / 8
        at_work.screen.drag(at_work.page, (x + grip, y), (x + grip + by / 2, y), (x + grip + by, y))
        span[end] += seconds
        assert at_work.span == pytest.approx(span, abs=0.051)
        span = list(at_work.span)


def test_both_ends_of_the_shortest_span_can_be_gripped(at_work: Annotator) -> None:
    at_work.type("start", "4")
    at_work.type("end", "4.1")
    for handle, by in (("handle-start", -60), ("handle-end", 60)):
        x, y = at_work.middle(f"#{handle}")
        at_work.screen.drag(at_work.page, (x, y), (x + by / 2, y), (x + by, y))
    start, end = at_work.span
    assert start < 3.9
    assert end > 4.2


def test_a_second_finger_leaves_the_span_as_it_was(
    phone: Screen, tmp_path: Path, collecting_task: Task
) -> None:
    at_work = Annotator(phone, written(tmp_path, collecting_task))
    x, y = at_work.middle("#handle-end")
    phone.fingers(at_work.page, "touchStart", [(x, y)])
    phone.fingers(at_work.page, "touchMove", [(x - 80, y)])
    assert at_work.span[1] < 6
    phone.fingers(at_work.page, "touchStart", [(x - 80, y), (x - 80, y - 200)])
    phone.fingers(at_work.page, "touchEnd", [])
    assert at_work.span == (1, 6.5)


def test_handles_move_by_keys_up_to_each_other(at_work: Annotator) -> None:
    at_work.page.locator("#handle-start").focus()
    at_work.press("ArrowRight", "ArrowRight", "PageDown")
    assert at_work.span == (0.2, 2)
    at_work.press("PageUp", "PageUp", "PageUp")
    assert at_work.span == (1.9, 2)
    assert at_work.page.locator("#handle-start").get_attribute("aria-valuenow") == "1.9"


@pytest.mark.parametrize(
    ("given", "taken", "said"),
    [
        ((2, 500), (2, 8), "Original span: 2.0 to 500.0 s (dashed). It reaches beyond the film of 8.0 s."),
        ((20, 500), (0, 8), "Original span: 20.0 to 500.0 s (dashed). It reaches beyond the film of 8.0 s."),
        ((2, 8.2), (2, 8), "Original span: 2.0 to 8.2 s (dashed)."),  # films end after their last frame
        (None, (0, 8), "There is no original span."),
    ],
)
def test_a_given_span_is_held_against_the_film(
    desktop: Screen,
    tmp_path: Path,
    collecting_task: Task,
    given: tuple[float, float] | None,
    taken: tuple[float, float],
    said: str,
) -> None:
    at_work = Annotator(desktop, written(tmp_path, collecting_task, replace(QUESTION, span=given)))
    assert at_work.text("given") == said
    assert at_work.span == taken
    at_work.click("right")
    at_work.click("save")
    assert at_work.save("save-anyway")["questions"][0]["span"] == list(taken)


TRY_ALL = """() => {
  const found = [];
  for (const duration of [0.333, 2.667, 8, 51.333])
    for (let i = 0; i < 30; i += 2)
      for (let j = -3; j < 33; j += 1.5)
        for (const which of [0, 1]) {
          const span = fittedSpan([duration * i / 30, duration * (i + 2) / 30], duration), time = duration * j / 30;
          found.push({ duration, which, time, typed: withEnd(span, which, time, duration).span,
                       said: withEnd(span, which, time, duration).said, held: heldEnd(span, which, time, duration) });
        }
  return found;
}"""


def test_a_span_lies_in_the_film_whatever_is_typed_or_dragged(
    desktop: Screen, tmp_path: Path, collecting_task: Task
) -> None:
    at_work = Annotator(desktop, written(tmp_path, collecting_task))
    for case in at_work.page.evaluate(TRY_ALL):
        which, time, duration = case["which"], case["time"], case["duration"]
        for start, end in (case["typed"], case["held"]):
            assert 0 <= start <= end - 0.099, case
            assert end <= duration + 0.0005, case
        if 0.1 < time < duration - 0.15:
            assert case["typed"][which] == pytest.approx(time, abs=0.0501), case
        elif not 0 <= time <= duration + 0.05:
            assert case["said"], case
