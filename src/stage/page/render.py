"""The page: sections, pictures, style and script put together into one file that loads nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stage.errors import InputError
from stage.page.colours import DARK, LIGHT, SHADE
from stage.page.pictures import Gallery
from stage.page.timeline import PATH_HEIGHT, PATH_WIDTH
from stage.page.views import QuestionView, question_view
from stage.types import Evidence, Image

LEAST_BUDGET, BUDGET_PER_QUESTION = 1_000_000, 350_000
"""Bytes of JPEG; in the page they take a third more."""


def render(entries: Sequence[tuple[Evidence, Mapping[int, Image]]], title: str) -> str:
    """One self-contained HTML page about any number of questions.

    entries: for each question its evidence and pictures of numbered frames, (height, width, 3) RGB. Any of the
    moments' frames can be pictured, in any size: the film strip shows those that are. Pictures which several
    questions share are held once.
    """
    gallery = Gallery()
    questions = [
        _section(evidence, number, pictures, gallery)
        for number, (evidence, pictures) in enumerate(entries, 1)
    ]
    script = _script()
    known = [question.right for question in questions if question.right is not None]
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=title.strip() or "Evidence",
            questions=questions,
            known=len(known),
            right=sum(known),
            pictures=gallery.encode(max(LEAST_BUDGET, BUDGET_PER_QUESTION * len(entries))),
            light=LIGHT,
            dark=DARK,
            shade=SHADE,
            script=Markup(script),  # our own file, in which nothing is filled in
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            path_width=PATH_WIDTH,
            path_height=PATH_HEIGHT,
        )
    )


def _section(
    evidence: Evidence, number: int, pictures: Mapping[int, Image], gallery: Gallery
) -> QuestionView:
    return question_view(evidence, number, pictures.keys(), lambda frame: gallery.add(pictures[frame]))


def write_page(path: Path, html: str) -> None:
    """Write the page whole or not at all. Raises InputError if it can't be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(html.encode("utf-8", "replace"))
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise InputError(
            f"{path}: the page can't be written ({error.strerror}); choose another place"
        ) from None


def _environment() -> Environment:
    loader = PackageLoader("stage", "page")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda value: f"{value:.2f}%"
    return environment


def _script() -> str:
    return (Path(__file__).parent / "script.js.jinja").read_text("utf-8")
