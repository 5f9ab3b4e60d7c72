"""Annotation pages, on which annotators refine spans and draw boxes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stage.annotation.labels import LAST_FRAME, frames_of_question
from stage.annotation.vocabulary import normalise_word
from stage.collecting.nouns import Noun, concepts_of
from stage.collecting.submissions import FORMAT
from stage.collecting.tagging import Tagger
from stage.errors import InputError
from stage.io import OutputKind, starts_with
from stage.media.frame_folder import open_frames
from stage.media.subtitles import read_subtitles, subtitles_of
from stage.media.video import open_video
from stage.page.colours import DARK, LIGHT, SHADE, word_colours
from stage.page.pictures import SETTINGS, Gallery
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Image, Question, Sentence
from stage.wording import detokenised

SCRIPTS = ("work.js", "spans.js", "boxes.js", "showing.js", "keys.js")
LONGEST_SIDE = SETTINGS[0][0]
BYTES_PER_IMAGE = 60_000
"""Average size of a JPEG: the page of a clip of one minute stays below 5 MB."""


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

    clip: Clip
    images: Mapping[int, Image]
    """Numbered frame -> image of any size, one per second."""
    questions: tuple[Question, ...]
    concepts: tuple[tuple[str, ...], ...]
    """For each question, the words to draw boxes for."""


def shown_frames(frame_count: int) -> range:
    """The numbered frames that a page shows: one per second, every other of which STAGE reads."""
    return range(1, min(frame_count, LAST_FRAME) + 1, FRAMES_PER_SECOND)


def clip_name(path: Path) -> str:
    """The clip name (vid_name) of a film, or of a folder of its frames."""
    return path.resolve().name if path.is_dir() else path.stem


def open_clip(
    path: Path, subtitles: Mapping[str, tuple[Sentence, ...]] | Path | None
) -> tuple[Clip, dict[int, Image]]:
    """Open a film, or a folder of its frames (3 per second); returns the clip and one image per second.

    subtitles: clip -> sentences, or a subtitle file; without them, a film's own track is read. The images are keyed
    by numbered frame. Raises InputError if a file can't be used.
    """
    if path.is_dir():
        folder = open_frames(path)
        count = folder.frame_count
        original = next(image for _, image in folder.frames(sorted(folder.images)[:1]))
        height, width = original.shape[:2]
        images = dict(folder.frames(shown_frames(count)))
    else:
        video = open_video(path)
        count, width, height = video.frame_count, video.width, video.height
        images = dict(video.frames(shown_frames(count), LONGEST_SIDE))
    name = clip_name(path)
    return Clip(name, count, width, height, _sentences(path, name, subtitles)), images


def make_task(
    clip: Clip,
    images: Mapping[int, Image],
    questions: Iterable[Question],
    tagger: Tagger,
    nouns: Mapping[str, Noun],
) -> Task:
    """The task of a clip: all questions about it, with their concepts.

    Raises InputError if there are none, one has no right answer, or there is no image of a frame that STAGE reads.
    """
    about_clip = tuple(q for q in questions if q.clip == clip.name)
    if not about_clip:
        raise InputError(f"{clip.name}: no question is about it; name a film after its questions' vid_name")
    if not any(frame in images for frame in range(1, clip.frame_count + 1, MODEL_STRIDE)):
        raise InputError(
            f"{clip.name}: has none of the frames 1, 7, 13..; extract 3 per second, numbered from 1"
        )
    for question in about_clip:
        if question.answer_index is None:
            raise InputError(f"question {question.qid}: has no right answer; add answer_idx")
    return Task(clip, images, about_clip, tuple(concepts_of(q, tagger, nouns) for q in about_clip))


def render_task(task: Task) -> str:
    """Render a self-contained HTML page."""
    gallery = Gallery()
    indices = {frame: gallery.add(image) for frame, image in task.images.items()}
    encoded = gallery.encode(BYTES_PER_IMAGE * max(1, len(task.images)))
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
    """The key of the browser's storage: a hash of clip and questions. Concepts aren't part of it, they may change."""
    clip = task.clip
    hashed = [clip.name, clip.width, clip.height, clip.frame_count, [[q.qid, q.text] for q in task.questions]]
    return hashlib.sha256(json.dumps(hashed).encode()).hexdigest()[:16]


def _content(task: Task) -> dict[str, Any]:
    """The data of the page's script, without the images."""
    clip = task.clip
    unboxed = partial(replace, boxes={})  # frames from the first on, whatever was annotated before
    return {
        "format": FORMAT,
        "clip": clip.name,
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
                "frames": [
                    f for f in frames_of_question(unboxed(question), clip.frame_count) if f in task.images
                ],
            }
            for question, concepts in zip(task.questions, task.concepts, strict=True)
        ],
    }


def _coloured(concepts: Sequence[str]) -> list[dict[str, Any]]:
    colours = word_colours(concepts)
    return [{"label": word, "colour": colours[normalise_word(word)]} for word in concepts]


def _sentences(
    path: Path, name: str, subtitles: Mapping[str, tuple[Sentence, ...]] | Path | None
) -> tuple[Sentence, ...]:
    if isinstance(subtitles, Path):
        return read_subtitles(subtitles).sentences
    if subtitles is not None:
        return subtitles.get(name, ())
    own_track = None if path.is_dir() else subtitles_of(path)
    return own_track.sentences if own_track else ()


def _environment() -> Environment:
    """The templates of the annotation page, and the style of the evidence page."""
    loader = ChoiceLoader([PackageLoader("stage", "collecting/web"), PackageLoader("stage", "page")])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
