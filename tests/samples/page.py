"""Evidence to show, and the page parsed as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np

from stage.page import render
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


def moment(
    frame: int, *grounding: WordBoxes, start: float = 0.1, end: float = 0.1, in_span: bool = False
) -> Moment:
    sentences = tuple(AttendedSentence(s, tuple([0.0] * (len(s.words) - 1) + [0.6])) for s in SENTENCES)
    return Moment(frame, start, end, grounding, sentences, in_span)


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
            moment(
                7,
                words(7, "Mia", mia),
                words(7, "mug", mug, replace(mug, score=0.4)),
                start=0.7,
                in_span=True,
            ),
            moment(13, words(13, "Mia", mia), end=0.6, in_span=True),
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
