"""Annotation pages, on which annotators refine spans and draw boxes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stage.annotation.vocabulary import normalise_word
from stage.collecting.films import OpenedClip
from stage.collecting.nouns import Noun, concepts_of
from stage.collecting.submissions import FORMAT
from stage.collecting.tagging import Tagger
from stage.errors import InputError
from stage.io import OutputKind, starts_with
from stage.page.colours import DARK, LIGHT, SHADE, word_colours
from stage.page.pictures import Gallery
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Question
from stage.wording import detokenised

SCRIPTS = (
    "rules.js", "work.js", "navigation.js", "pointers.js", "spans.js", "boxes.js", "saving.js", "showing.js",
    "keys.js",
)  # fmt: skip
"""One script on the page, in this order: keys.js starts it."""
BYTES_PER_IMAGE = 60_000
"""Average size of a JPEG: the page of a clip of one minute stays below 5 MB."""
GIVEN_BEYOND = 1 / FRAMES_PER_SECOND
"""Seconds that a given span may reach beyond the last numbered frame, as a film may."""


TASK_PAGE = OutputKind(
    "an annotation page (HTML)",
    lambda path: starts_with(
        path, r'(?s)\s*<!DOCTYPE html>.*<meta name="generator" content="stage: annotation">'
    ),
    (".html",),
)
"""The marker is in task.html.jinja."""


@dataclass(frozen=True, slots=True)
class Task:
    """One clip with its questions to annotate."""

    opened: OpenedClip
    questions: tuple[Question, ...]
    concepts: tuple[tuple[str, ...], ...]
    """For each question, the words to draw boxes for."""

    @property
    def clip(self) -> Clip:
        return self.opened.clip

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the film, its subtitles, and spans that are not in it."""
        end = self.clip.duration
        beyond = (
            f"question {q.qid}: its span is {q.span[0]:g} to {q.span[1]:g} s, but the film is {end:.1f} s long"
            for q in self.questions
            if q.span and (q.span[0] < 0 or q.span[1] > end + GIVEN_BEYOND)
        )
        return (*self.opened.notes, *beyond)


def make_task(
    opened: OpenedClip, questions: Iterable[Question], tagger: Tagger, nouns: Mapping[str, Noun]
) -> Task:
    """The task of a clip: all questions about it, with their concepts.

    Raises InputError if there are none, one has no right answer, or there is no image of a frame that STAGE reads.
    """
    clip = opened.clip
    about_clip = tuple(q for q in questions if q.clip == clip.name)
    if not about_clip:
        raise InputError(f"{clip.name}: no question is about it; name a film after its questions' vid_name")
    if not any(frame in opened.images for frame in _read_frames(clip)):
        raise InputError(
            f"{clip.name}: has none of the frames 1, 7, 13..; extract 3 per second, numbered from 1"
        )
    for question in about_clip:
        if question.answer_index is None:
            raise InputError(f"question {question.qid}: has no right answer; add answer_idx")
    return Task(opened, about_clip, tuple(concepts_of(q, tagger, nouns) for q in about_clip))


def render_task(task: Task) -> str:
    """Render a self-contained HTML page."""
    gallery = Gallery()
    images = task.opened.images
    indices = {frame: gallery.add(image) for frame, image in images.items()}
    encoded = gallery.encode(BYTES_PER_IMAGE * max(1, len(images)))
    content = _content(task)
    content["key"] = _key(task)
    content["pictures"] = {frame: encoded[index].uri for frame, index in indices.items()}
    script = "\n".join((Path(__file__).parent / "web" / name).read_text("utf-8") for name in SCRIPTS)
    return (
        _environment()
        .get_template("task.html.jinja")
        .render(
            clip=task.clip,
            content=content,
            light=LIGHT,
            dark=DARK,
            shade=SHADE,
            script=Markup(script),  # static files of this package: safe to include unescaped
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _key(task: Task) -> str:
    """The key of the browser's storage: a hash of what boxes and spans are measured in.

    What was asked is stored with each question's draft, so that the page can say what has changed since.
    """
    clip = task.clip
    hashed = [clip.name, clip.width, clip.height, clip.frame_count]
    return hashlib.sha256(json.dumps(hashed).encode()).hexdigest()[:16]


def _read_frames(clip: Clip) -> range:
    """The numbered frames that STAGE reads, in which boxes are drawn, whatever was annotated before."""
    return range(1, clip.frame_count + 1, MODEL_STRIDE)


def _content(task: Task) -> dict[str, Any]:
    """The data of the page's script, without the images."""
    clip = task.clip
    frames = [frame for frame in _read_frames(clip) if frame in task.opened.images]
    return {
        "format": FORMAT,
        "clip": clip.name,
        "film": task.opened.fingerprint,
        "width": clip.width,
        "height": clip.height,
        "frame_count": clip.frame_count,
        "duration": round(max(clip.duration, 1 / FRAMES_PER_SECOND), 3),
        "rate": FRAMES_PER_SECOND,
        "sentences": [{"start": s.start, "end": s.end, "text": detokenised(s.text)} for s in clip.sentences],
        "questions": [
            {
                "qid": question.qid,
                "question": detokenised(question.text),
                "answer": detokenised(question.answers[question.answer_index or 0]),
                "span": question.span,
                "concepts": _coloured(concepts),
                "frames": frames,
            }
            for question, concepts in zip(task.questions, task.concepts, strict=True)
        ],
    }


def _coloured(concepts: Sequence[str]) -> list[dict[str, Any]]:
    colours = word_colours(concepts)
    return [{"label": word, "colour": colours[normalise_word(word)]} for word in concepts]


def _environment() -> Environment:
    """The templates of the annotation page, and the style of the evidence page."""
    loader = ChoiceLoader([PackageLoader("stage", "collecting/web"), PackageLoader("stage", "page")])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
