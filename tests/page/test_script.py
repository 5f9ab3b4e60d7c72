"""The evidence page in a browser: its frames, by pointer and by keys.

Of four frames, the predicted span has the middle two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samples.browser import SCREENS, Screen
from samples.page import evidence, pictured, with_truth
from stage.page import render, write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

TIMES = ["0.3 s", "2.3 s", "4.3 s", "6.3 s"]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with two questions."""
    write_page(tmp_path / "page.html", render([(with_truth(evidence()), pictured(evidence()))] * 2, "two"))
    return tmp_path / "page.html"


def shown(question: Locator) -> list[str]:
    """The times of the frames that are shown large."""
    return [text.split(" s")[0] + " s" for text in question.locator(".moment:visible h4").all_inner_texts()]


def playhead(question: Locator) -> str | None:
    return question.locator(".playhead").get_attribute("x1")


def test_one_frame_is_shown_and_a_click_or_tap_shows_another(screen: Screen, page: Path) -> None:
    first, second = screen.open(page).locator("article.question").all()
    assert shown(first) == shown(second) == ["2.3 s"]
    thumbs = first.locator(".strip a")
    assert [text.strip() for text in thumbs.all_inner_texts()] == TIMES
    before = playhead(first)
    (thumbs.nth(3).tap if screen.touch else thumbs.nth(3).click)()
    assert shown(first) == ["6.3 s"]
    assert playhead(first) == thumbs.nth(3).get_attribute("data-x") != before
    assert first.locator(".strip a[aria-current=true]").count() == 1
    assert shown(second) == ["2.3 s"]


def test_a_press_on_the_timeline_shows_the_nearest_frame(screen: Screen, page: Path) -> None:
    question = screen.open(page).locator("article.question").first
    timeline = question.locator(".timeline")
    timeline.scroll_into_view_if_needed()
    bounds = timeline.bounding_box()
    assert bounds
    for time in (0.0, 3.1, 4.9, 8.0):
        place = {"x": min(bounds["width"] - 1, bounds["width"] * time / 8), "y": bounds["height"] / 2}
        timeline.click(position=place, force=True)  # type: ignore[arg-type]
        nearest = min(TIMES, key=lambda shown: abs(float(shown.split()[0]) - time))
        assert shown(question) == [nearest]


def test_keys_move_between_frames_and_the_focus_goes_along(desktop: Screen, page: Path) -> None:
    opened = desktop.open(page)
    question = opened.locator("article.question").last
    question.locator(".strip a[tabindex='0']").focus()
    for key, time in [
        ("ArrowRight", "4.3 s"), ("End", "6.3 s"), ("ArrowRight", "6.3 s"), ("Home", "0.3 s"), ("ArrowLeft", "0.3 s"),
    ]:  # fmt: skip
        opened.keyboard.press(key)
        assert shown(question) == [time]
        assert opened.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    assert question.locator(".strip a[tabindex='0']").count() == 1


def test_a_link_to_a_frame_opens_the_page_at_it(desktop: Screen, page: Path) -> None:
    link = (
        desktop.open(page).locator("article.question").last.locator(".strip a").nth(2).get_attribute("href")
    )
    questions = desktop.open(page, str(link)).locator("article.question")
    assert shown(questions.last) == ["4.3 s"]
    assert shown(questions.first) == ["2.3 s"]


def test_true_boxes_are_shown_on_demand(desktop: Screen, page: Path) -> None:
    question = desktop.open(page).locator("article.question").first
    boxes = question.locator(".moment.current .box.true")
    assert boxes.count()
    assert not boxes.first.is_visible()
    question.locator("label.switch").click()
    assert boxes.first.is_visible()


@pytest.mark.parametrize("name", SCREENS)
def test_without_scripts_all_frames_are_shown(browser: Browser, page: Path, name: str) -> None:
    context = browser.new_context(java_script_enabled=False, **SCREENS[name])
    opened = context.new_page()
    opened.goto(page.as_uri())
    assert set(shown(opened.locator("article.question").first)) >= {"2.3 s", "4.3 s"}
    context.close()


def test_the_page_loads_nothing_else_and_is_no_wider_than_the_screen(screen: Screen, page: Path) -> None:
    asked: list[str] = []
    screen.context.on("request", lambda request: asked.append(request.url))
    opened = screen.open(page)
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in asked) == 1
    assert opened.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
