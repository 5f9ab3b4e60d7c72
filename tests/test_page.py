"""The evidence page: what it shows, what it leaves out, and that nothing in it can act or load from elsewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from stage.errors import InputError
from stage.page import frames_to_show, render, write_page
from stage.page.views import MOST_FRAMES
from stage.types import (
    AttendedSentence,
    Box,
    Clip,
    Evidence,
    Image,
    Moment,
    Prediction,
    Question,
    Sentence,
    WordBoxes,
)

VOID = frozenset(("meta", "input", "br", "img", "link", "hr", "rect", "line", "use", "path", "image"))


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    own: str = ""

    @property
    def text(self) -> str:
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> list[str]:
        return [self.own, *(text for child in self.children for text in child._texts())]

    def all(self, tag: str = "", name: str = "") -> list[Element]:
        """The elements within that have this tag and class."""
        found = []
        for child in self.children:
            if tag in ("", child.tag) and (not name or name in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, name)
        return found

    def one(self, tag: str = "", name: str = "") -> Element:
        (found,) = self.all(tag, name)
        return found


class Page(HTMLParser):
    """A page as a tree; fails where an element is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(html)
        assert len(self.open) == 1, self.open[-1].tag

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(Element("#text", {}, [], data))


def parsed(evidence: Evidence, pictures: Mapping[int, Image] | None = None, title: str = "film") -> Element:
    entries = [(evidence, pictured(evidence) if pictures is None else pictures)]
    return Page(render(entries, title)).root


def pictured(evidence: Evidence, height: int = 18, width: int = 32) -> dict[int, Image]:
    return {m.frame: np.full((height, width, 3), m.frame % 256, np.uint8) for m in evidence.moments}


SENTENCES = (Sentence(0.5, 2.0, "Mia : Where is my mug ?"), Sentence(5.0, 7.0, "Leo : Do n't ask me !"))


def moment(frame: int, *grounding: WordBoxes, start: float = 0.1, end: float = 0.1) -> Moment:
    sentences = tuple(AttendedSentence(s, tuple([0.0] * (len(s.words) - 1) + [0.6])) for s in SENTENCES)
    return Moment(frame, start, end, grounding, sentences)


def words(frame: int, word: str, *boxes: Box) -> WordBoxes:
    return WordBoxes(0, frame, word, boxes)


def evidence(answers: Sequence[str] = ("A mug .", "A book .")) -> Evidence:
    """Frames at 1/3, 7/3, 13/3 and 19/3 s; the middle two are the predicted span; 3 boxes in them."""
    mia = Box(64, 36, 128, 324, "Mia", 0.9)
    mug = Box(320, 90, 352, 108, "mug", 0.8)
    return Evidence(
        Clip("episode", 24, 640, 360, SENTENCES),
        Question(1, "episode", "What is Mia holding ?", tuple(answers)),
        Prediction(
            1, "episode", 0, tuple([1 / len(answers)] * len(answers)), tuple([(7 / 3, 19 / 3)] * len(answers))
        ),
        ("Mia", "mug"),
        (
            moment(1),
            moment(7, words(7, "Mia", mia), words(7, "mug", mug, replace(mug, score=0.4)), start=0.7),
            moment(13, words(13, "Mia", mia), end=0.6),
            moment(19),
        ),
    )


def with_truth(e: Evidence, answer: int = 1) -> Evidence:
    boxes = {7: (Box(60, 30, 130, 330, "mia"), Box(300, 80, 360, 110, "mug"))}
    return replace(e, question=replace(e.question, answer_index=answer, span=(3.0, 6.0), boxes=boxes))


def percents(element: Element, *names: str) -> list[float]:
    return [float(element.attributes[name].removesuffix("%")) for name in names]


def moments_of(page: Element) -> dict[str, Element]:
    return {m.attributes["id"]: m for m in page.all("section", "moment")}


def test_user_text_can_not_become_markup() -> None:
    bad = "<script>alert(1)</script>"
    quote = '"><img/src=x/onerror=alert(1)>'
    e = evidence((bad, quote))
    box = Box(1, 1, 9, 9, quote, 0.5)
    e = replace(
        e,
        clip=replace(e.clip, name=bad),
        question=replace(
            e.question, text=f"{bad} {quote}", answer_index=0, span=(1, 2), boxes={1: (box,), 7: (box,)}
        ),
        concepts=(bad, quote),
        moments=(
            replace(
                moment(1, words(1, quote, box)), sentences=(AttendedSentence(Sentence(0, 1, bad), (1.0,)),)
            ),
        ),
        notes=(bad, quote),
    )
    page = parsed(e, title=f"</title>{bad}")
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert all(not name.startswith("on") for el in page.all() for name in el.attributes)
    assert page.one("h1").text == f"</title>{bad}"
    assert page.one("head").one("title").text == f"</title>{bad}"
    assert [li.text for li in page.one("ul", "notes").all("li")] == [bad, quote]


@pytest.mark.parametrize(
    "title", ["", "  ", "{{ 7 * 7 }}", "a & b", "Größe ½ 日本語", "line\nbreak", "x" * 300]
)
def test_any_title_is_shown_as_it_is(title: str) -> None:
    shown = " ".join(title.split()) or "Evidence"
    assert parsed(evidence(), title=title).one("h1").text == shown


def test_a_page_refers_to_nothing_outside_itself() -> None:
    html = render([(with_truth(evidence()), pictured(evidence()))] * 2, "two")
    page = Page(html).root
    ids = [el.attributes["id"] for el in page.all() if "id" in el.attributes]
    assert len(ids) == len(set(ids))
    for element in page.all():
        assert element.tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in element.attributes
        href = element.attributes.get("href", "#q1")
        assert href.startswith("data:image/jpeg;base64,") or href.removeprefix("#") in ids
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    policy = next(m for m in page.all("meta") if "http-equiv" in m.attributes).attributes["content"]
    assert policy.startswith("default-src 'none'")


def test_nothing_is_marked_true_if_the_truth_is_not_known() -> None:
    page = parsed(evidence())
    assert not page.all(name="true")
    assert not page.all(name="verdict")
    assert not page.all("input")
    assert "truth" not in page.one("body").one("main").text


@pytest.mark.parametrize(("answer", "verdict"), [(0, "✓ right"), (1, "✗ wrong")])
def test_the_right_answer_is_marked_if_it_is_known(answer: int, verdict: str) -> None:
    page = parsed(with_truth(evidence(), answer))
    candidates = page.one("ol", "candidates").all("li")
    assert ["right answer" in c.text for c in candidates] == [answer == 0, answer == 1]
    assert ["predicted" in c.text for c in candidates] == [True, False]
    assert page.one(name="verdict").text == verdict


def test_the_index_counts_right_answers_among_those_that_are_known() -> None:
    entries = [with_truth(evidence(), 0), with_truth(evidence(), 1), evidence()]
    page = Page(render([(e, pictured(e)) for e in entries], "three")).root
    assert page.one(name="tally").text == "1 of 2 right"
    assert [len(li.all(name="verdict")) for li in page.one(name="index").all("li")] == [1, 1, 0]


def test_each_frame_has_its_boxes_and_a_tag_for_each_word() -> None:
    moments = moments_of(parsed(with_truth(evidence())))
    assert [len(m.all("g", "box")) - len(m.all("g", "true")) for m in moments.values()] == [0, 3, 1, 0]
    assert [len(m.all("g", "true")) for m in moments.values()] == [0, 2, 0, 0]
    assert [t.text for t in moments["q1-f7"].all(name="tag")] == ["Mia 0.90", "mug 0.80"]
    assert "mug (0.80, 0.40)" in moments["q1-f7"].all("svg")[0].attributes["aria-label"]


@pytest.mark.parametrize("size", [(360, 640), (180, 320), (9, 16), (720, 1280)])
def test_boxes_are_placed_by_the_clip_whatever_the_size_of_its_pictures(size: tuple[int, int]) -> None:
    e = evidence()
    page = parsed(e, pictured(e, *size))
    mia = next(g for g in moments_of(page)["q1-f13"].all("g", "box"))
    line = mia.one("rect", "line")
    assert percents(line, "x", "y", "width", "height") == [10, 10, 10, 80]
    assert {(u.attributes["width"], u.attributes["height"]) for u in page.all("use")} == {("100%", "100%")}


def test_a_box_beyond_the_picture_is_cut_at_its_edge() -> None:
    e = replace(evidence(), moments=(moment(7, words(7, "Mia", Box(-64, 180, 700, 500, "Mia", 0.9))),))
    line = parsed(e).one("rect", "line")
    assert percents(line, "x", "y", "width", "height") == [0, 50, 100, 50]


def test_a_word_has_one_colour_everywhere() -> None:
    page = parsed(with_truth(evidence()))
    colours = {
        el.text.split()[0].lower(): {c for c in el.attributes["class"].split() if re.fullmatch(r"c\d", c)}
        for el in [*page.all("span", "word"), *page.all("span", "tag")]
    }
    assert colours == {"mia": {"c0"}, "mug": {"c1"}}
    true = moments_of(page)["q1-f7"].all("g", "true")
    assert [g.attributes["class"].split()[-1] for g in true] == ["c0", "c1"]


def test_tags_of_boxes_at_one_place_do_not_hide_each_other() -> None:
    box = Box(100, 100, 300, 300, "x", 0.5)
    e = replace(evidence(), concepts=("a", "b", "c"))
    e = replace(e, moments=(moment(7, words(7, "a", box), words(7, "b", box), words(7, "c", box)),))
    tags = parsed(e).all(name="tag")
    assert len({(t.attributes["style"], t.attributes["class"].split()[1]) for t in tags}) == 3


@pytest.mark.parametrize("count", [2, 8, 30])
def test_any_number_of_candidates_is_listed_with_its_probability(count: int) -> None:
    page = parsed(evidence([f"answer {i}" for i in range(count)]))
    candidates = page.one("ol", "candidates").all("li")
    assert [c.one(name="text").text.removesuffix(" predicted") for c in candidates] == [
        f"answer {i}" for i in range(count)
    ]
    assert {c.one(name="probability").text for c in candidates} == {f"{100 / count:.0f} %"}


def test_the_predicted_and_the_true_span_are_where_they_are_in_the_clip() -> None:
    page = parsed(with_truth(evidence()))
    assert percents(page.one("rect", "predicted"), "x", "width") == pytest.approx([29.17, 50.0], abs=0.01)
    line = page.one("svg", "timeline").one("g", "true").all("line")[0]
    assert percents(line, "x1", "x2") == [37.5, 75.0]
    assert page.one("p", "truth").text == "In truth 3.0 to 6.0 s, overlap (IoU) 0.75"


def test_the_frames_of_the_span_are_lit_and_those_of_the_true_span_underlined() -> None:
    strip = parsed(with_truth(evidence())).one("ol", "strip").all("li")
    assert [li.attributes["class"].split() for li in strip] == [[], ["lit", "true"], ["lit", "true"], []]


def test_the_frame_with_the_best_boxes_is_shown_first() -> None:
    current = parsed(evidence()).one("section", "current")
    assert current.attributes["id"] == "q1-f7"
    assert "key" in current.attributes["class"].split()


def test_attended_words_are_shaded_by_their_weight() -> None:
    line = parsed(evidence()).one("section", "current").all("p", "line")[0]
    assert [(r.text, r.attributes["style"]) for r in line.all(name="read")] == [("?", "--w:0.60")]


def test_a_clip_without_subtitles_says_so() -> None:
    e = evidence()
    mute = replace(
        e,
        clip=replace(e.clip, sentences=()),
        moments=tuple(replace(m, sentences=()) for m in e.moments),
    )
    told = parsed(mute).one("section", "current").text
    assert "This clip has no subtitles." in told


def test_a_model_that_does_not_read_is_not_said_to_lack_subtitles() -> None:
    e = evidence()
    told = parsed(replace(e, moments=tuple(replace(m, sentences=()) for m in e.moments)))
    assert "The model does not read the subtitles." in told.one("section", "current").text


def test_a_clip_without_boxes_says_so() -> None:
    e = evidence()
    page = parsed(replace(e, moments=tuple(replace(m, grounding=()) for m in e.moments)))
    assert "No boxes" in page.one(name="where").text
    assert not page.all("g", "box")
    assert (
        "no word names a person"
        in parsed(replace(e, concepts=(), moments=(moment(1),))).one(name="where").text
    )


def test_one_moment_is_enough() -> None:
    e = replace(evidence(), moments=(moment(1, start=1.0, end=1.0),))
    page = parsed(e)
    assert len(page.one("ol", "strip").all("li")) == 1
    assert page.one("section", "current").attributes["id"] == "q1-f1"


def test_a_clip_of_which_no_frame_was_seen_says_so() -> None:
    assert "The model saw no frame" in parsed(replace(evidence(), moments=())).one("main").text


def test_a_page_without_questions_says_so() -> None:
    assert "no questions" in Page(render([], "none")).root.one("main").text


def test_without_pictures_the_boxes_are_still_drawn() -> None:
    page = parsed(evidence(), {})
    assert not page.all("use")
    assert len(page.all("g", "box")) == 4


def test_the_strip_shows_the_frames_that_have_pictures() -> None:
    e = evidence()
    some = {frame: picture for frame, picture in pictured(e).items() if frame != 7}
    assert list(moments_of(parsed(e, some))) == ["q1-f1", "q1-f13", "q1-f19"]


def test_of_a_long_clip_some_frames_are_shown_half_of_them_from_the_span() -> None:
    moments = tuple(moment(1 + 6 * i) for i in range(300))
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


def test_a_picture_that_two_questions_share_is_held_once() -> None:
    e = evidence()
    page = Page(render([(e, pictured(e)), (e, pictured(e))], "two")).root
    assert len(page.all("image")) == 4
    assert len(page.all("use")) == 2 * 2 * 4


def test_a_page_of_busy_pictures_stays_easy_to_send() -> None:
    rng = np.random.default_rng(0)
    e = evidence()
    e = replace(e, moments=tuple(moment(1 + 6 * i) for i in range(25)), clip=replace(e.clip, frame_count=150))
    pictures = {
        m.frame: cv2.resize(rng.integers(0, 255, (45, 80, 3), np.uint8), (640, 360)) for m in e.moments
    }
    assert len(render([(e, pictures)], "noise")) < 1_700_000


def test_a_picture_keeps_its_colours() -> None:
    e = replace(evidence(), moments=(moment(1),))
    red = np.zeros((90, 160, 3), np.uint8)
    red[:] = (200, 30, 60)
    uri = parsed(e, {1: red}).one("image").attributes["href"]
    data = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(back.astype(int) - red).max() < 8


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_page(path, "first")
    write_page(path, "second \udcff")
    assert path.read_text("utf-8") == "second ?"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_a_place_that_can_not_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/page\.html: the page can't be written"):
        write_page(tmp_path / "file" / "page.html", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="choose another place"):
        write_page(tmp_path / "folder", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
