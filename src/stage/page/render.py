"""Render evidence pages from templates, and write them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from stage.io import OutputKind, starts_with, write_bytes
from stage.page.colours import DARK, LIGHT, SHADE
from stage.page.pictures import Gallery
from stage.page.timeline import PATH_HEIGHT, PATH_WIDTH
from stage.page.views import QuestionView, question_view
from stage.types import Evidence, Image

if TYPE_CHECKING:
    from jinja2 import Environment

LEAST_BUDGET, BUDGET_PER_QUESTION = 1_000_000, 350_000
"""Bytes of JPEG; base64 makes them a third larger in the page."""

EVIDENCE_PAGE = OutputKind(
    "an evidence page (HTML)",
    lambda path: starts_with(
        path, r'(?s)\s*<!DOCTYPE html>.*<meta name="generator" content="stage: evidence">'
    ),
    (".html", ".htm"),
)
"""The marker is in page.html.jinja."""


@dataclass(frozen=True, slots=True)
class PageWords:
    """What a page calls what it shows."""

    one: str
    many: str
    candidates: str
    lead: str


OF_QUESTIONS = PageWords(
    "Question",
    "Questions",
    "Candidate answers",
    "The answer to each question, the part of the film that shows it, and the boxes and subtitles behind it.",
)
OF_MOMENTS = PageWords(
    "Moment",
    "Moments",
    "Moments that were found",
    "The moments that show the phrase, best first, with the boxes of its words. Percentages compare moments.",
)


def render(
    entries: Sequence[tuple[Evidence, Mapping[int, Image]]], title: str, words: PageWords = OF_QUESTIONS
) -> str:
    """Render a self-contained HTML page about any number of questions.

    entries: for each question its evidence, and numbered frame -> image, (height, width, 3) RGB, of any size. The
    film strip shows the moments that have an image. An image that several questions share is included once.
    """
    gallery = Gallery()
    questions = [
        _section(evidence, number, images, gallery) for number, (evidence, images) in enumerate(entries, 1)
    ]
    script = _script()
    verdicts = [question.right for question in questions if question.right is not None]
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            title=title.strip() or "Evidence",
            questions=questions,
            called=words,
            known=len(verdicts),
            right=sum(verdicts),
            pictures=gallery.encode(max(LEAST_BUDGET, BUDGET_PER_QUESTION * len(entries))),
            light=LIGHT,
            dark=DARK,
            shade=SHADE,
            script=Markup(script),  # a static file of this package: safe to include unescaped
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            path_width=PATH_WIDTH,
            path_height=PATH_HEIGHT,
        )
    )


def _section(evidence: Evidence, number: int, images: Mapping[int, Image], gallery: Gallery) -> QuestionView:
    return question_view(evidence, number, images.keys(), lambda frame: gallery.add(images[frame]))


def write_page(path: str | Path, html: str) -> None:
    """Write a page atomically. Raises InputError if it can't be written."""
    write_bytes(Path(path), html.encode("utf-8", "replace"))


def environment() -> Environment:
    """The templates of this package, which escape all text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("stage", "page")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda value: f"{value:.2f}%"
    return environment


def _script() -> str:
    return (Path(__file__).parent / "script.js.jinja").read_text("utf-8")
