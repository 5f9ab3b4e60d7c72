"""Which frames the page shows, and how they are embedded."""

from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np

from samples.page import Page, evidence, moment, moments_of, parsed, pictured
from stage.page import frames_to_show, render
from stage.page.views import MOST_FRAMES


def test_the_strip_shows_the_frames_that_have_pictures() -> None:
    e = evidence()
    some = {frame: picture for frame, picture in pictured(e).items() if frame != 7}
    assert list(moments_of(parsed(e, some))) == ["q1-f1", "q1-f13", "q1-f19"]


def test_a_long_clip_shows_some_frames_half_of_them_from_the_span() -> None:
    moments = tuple(moment(1 + 6 * i, in_span=50 <= i < 150) for i in range(300))
    e = evidence()
    e = replace(
        e,
        clip=replace(e.clip, frame_count=1800),
        moments=moments,
        prediction=replace(e.prediction, spans=((100 + 1 / 3, 300 + 1 / 3),) * 2),
    )
    frames = frames_to_show(e)
    page = parsed(e, {frame: picture for frame, picture in pictured(e).items() if frame in frames})
    strip = page.one("ol", "strip").all("li")
    assert [f"#q1-f{frame}" for frame in frames] == [li.one("a").attributes["href"] for li in strip]
    assert len(strip) == MOST_FRAMES == len(moments_of(parsed(e)))
    assert sum("lit" in li.attributes["class"] for li in strip) == MOST_FRAMES // 2
    assert f"{MOST_FRAMES} of the 300 that the model saw" in page.one(name="film").text


def test_a_frame_that_two_questions_share_is_embedded_once() -> None:
    e = evidence()
    page = Page(render([(e, pictured(e)), (e, pictured(e))], "two")).root
    assert len(page.all("image")) == 4
    assert len(page.all("use")) == 2 * 2 * 4


def test_a_page_of_busy_frames_stays_small() -> None:
    rng = np.random.default_rng(0)
    e = evidence()
    e = replace(e, moments=tuple(moment(1 + 6 * i) for i in range(25)), clip=replace(e.clip, frame_count=150))
    pictures = {
        m.frame: cv2.resize(rng.integers(0, 255, (45, 80, 3), np.uint8), (640, 360)) for m in e.moments
    }
    assert len(render([(e, pictures)], "noise")) < 1_700_000


def test_a_frame_keeps_its_colours() -> None:
    e = replace(evidence(), moments=(moment(1),))
    red = np.zeros((90, 160, 3), np.uint8)
    red[:] = (200, 30, 60)
    uri = parsed(e, {1: red}).one("image").attributes["href"]
    data = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(back.astype(int) - red).max() < 8
