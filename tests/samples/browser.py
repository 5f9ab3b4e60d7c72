"""Pages in a real browser, driven by mouse, touch and keys."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
    },
}  # fmt: skip
Point = tuple[float, float]


def launch(playwright: Playwright) -> Browser:
    """Start a browser; skips the test if there is none. STAGE_BROWSER names one, or `playwright` for its own.

    A browser that STAGE_BROWSER names must be there, so that CI does not skip these tests unnoticed.
    """
    own = playwright.chromium.executable_path
    named = os.environ.get("STAGE_BROWSER")
    if named:
        path = own if named == "playwright" else shutil.which(named)
        assert path, f"there is no browser {named}, which STAGE_BROWSER names"
    else:
        path = next(filter(None, map(shutil.which, (*BROWSERS, own))), None)
    if not path:
        pytest.skip("there is no browser: install Chromium, or name one in STAGE_BROWSER")
    return playwright.chromium.launch(executable_path=path, args=QUIET)


class Screen:
    """A browser window of some size, with a storage of its own. Dragging is by mouse, or by touch on a phone."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.touch = bool(SCREENS[name].get("has_touch"))
        self.context: BrowserContext = browser.new_context(**SCREENS[name])
        self.context.set_default_timeout(5000)
        self.sessions: dict[Page, CDPSession] = {}
        self.errors: list[str] = []

    def open(self, path: Path, hash: str = "") -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(path.as_uri() + hash)
        return page

    def drag(self, page: Page, *points: Point) -> None:
        """Press at the first point (in screen pixels), move over the others, and release at the last."""
        self.press(page, points[0])
        for point in points[1:]:
            self.move(page, point)
        self.release(page)

    def press(self, page: Page, point: Point) -> None:
        if self.touch:
            self.fingers(page, "touchStart", [point])
        else:
            page.mouse.move(*point)
            page.mouse.down()

    def move(self, page: Page, point: Point) -> None:
        if self.touch:
            self.fingers(page, "touchMove", [point])
        else:
            page.mouse.move(*point)

    def release(self, page: Page) -> None:
        if self.touch:
            self.fingers(page, "touchEnd", [])
        else:
            page.mouse.up()

    def fingers(self, page: Page, kind: str, points: Iterable[Point]) -> None:
        """Touch the screen with as many fingers as there are points, in screen pixels."""
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        if page not in self.sessions:
            self.sessions[page] = self.context.new_cdp_session(page)
        self.sessions[page].send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def close(self) -> None:
        self.context.close()
        assert not self.errors, self.errors


class Annotator:
    """Somebody who works on an annotation page. Points in frames are in pixels of the film."""

    def __init__(self, screen: Screen, path: Path) -> None:
        self.screen = screen
        self.page = screen.open(path)

    def reload(self) -> None:
        self.settle()
        self.page.reload()

    def settle(self) -> None:
        """Wait until what the page has stored has reached the browser's other processes."""
        self.page.wait_for_timeout(100)

    def wait(self, id: str, text: str) -> None:
        """Wait until an element contains a text; fails if it doesn't in time."""
        self.page.locator(f"#{id}").filter(has_text=text).wait_for()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, id: str) -> None:
        self.page.locator(f"#{id}").click()

    def text(self, id: str) -> str:
        return " ".join(self.page.locator(f"#{id}").inner_text().split())

    def shown(self, id: str) -> bool:
        return self.page.locator(f"#{id}").is_visible()

    def type(self, id: str, time: str) -> None:
        self.page.locator(f"#{id}").fill(time)
        self.page.locator(f"#{id}").press("Tab")

    @property
    def span(self) -> tuple[float, float]:
        """As the fields show it."""
        start, end = (float(self.page.locator(f"#{id}").input_value()) for id in ("start", "end"))
        return start, end

    def on_screen(self, *points: Point) -> list[Point]:
        """Points of the film on the screen; the frame is scrolled into view."""
        self.page.bring_to_front()  # a browser hardly serves a page in the background
        frame = self.page.locator("#frame")
        frame.scroll_into_view_if_needed()
        bounds = frame.bounding_box()
        width = self.page.evaluate("task.width")
        assert bounds
        scale = bounds["width"] / width
        return [(bounds["x"] + x * scale, bounds["y"] + y * scale) for x, y in points]

    def draw(self, start: Point, end: Point) -> None:
        """Drag from one point of the film to another."""
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        self.screen.drag(self.page, *self.on_screen(start, middle, end))

    def tap(self, point: Point) -> None:
        self.screen.drag(self.page, *self.on_screen(point))

    def middle(self, selector: str) -> Point:
        """The middle of an element on the screen, which is scrolled into view."""
        element = self.page.locator(selector)
        element.scroll_into_view_if_needed()
        bounds = element.bounding_box()
        assert bounds
        return bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] / 2

    def finish_frame(self) -> None:
        """Mark all words of the frame that are still to do as not visible."""
        to_do = self.page.locator("#concepts li").filter(has=self.page.locator(".state", has_text="to do"))
        while to_do.count():
            to_do.first.locator(".absent").click()

    def finish_question(self) -> None:
        """Confirm the span, and mark all words of all frames as not visible."""
        if self.shown("right"):
            self.click("right")
        frames = self.page.locator("#strip a")
        for number in range(frames.count()):
            frames.nth(number).click()
            self.finish_frame()

    def boxes(self) -> list[list[Any]]:
        """The boxes of the frame that is shown: label, left, top, width, height."""
        drawn: list[list[Any]] = self.page.evaluate(
            "marks(frame).boxes.map(b => [b.label, b.left, b.top, b.width, b.height])"
        )
        return drawn

    def save(self, button: str = "save") -> dict[str, Any]:
        """The file that a button saves."""
        with self.page.expect_download() as download:
            self.click(button)
        return dict(json.loads(download.value.path().read_text("utf-8")))
