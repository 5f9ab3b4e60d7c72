"""A page on which a person refines spans and draws boxes: what it asks for, and its rendering."""

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
from stage.collecting.nouns import Noun, concepts_of
from stage.collecting.submissions import FORMAT
from stage.collecting.tagging import Tagger
from stage.errors import InputError
from stage.media.frame_folder import open_frames
from stage.media.subtitles import read_subtitles, subtitles_of
from stage.media.video import open_video
from stage.page.colours import DARK, LIGHT, SHADE, word_colours
from stage.page.pictures import SETTINGS, Gallery
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Image, Question, Sentence
from stage.wording import plain

SCRIPTS = ("work.js", "spans.js", "boxes.js", "showing.js", "keys.js")
LONGEST_SIDE = SETTINGS[0][0]
BYTES_A_PICTURE = 60_000
"""Of JPEG, on average: a page of a minute stays below 5 MB."""


@dataclass(frozen=True, slots=True)
class Task:
    """One clip with all that is asked about it."""

    clip: Clip
    pictures: Mapping[int, Image]
    """Numbered frame -> its picture in any size, one a second."""
    questions: tuple[Question, ...]
    concepts: tuple[tuple[str, ...], ...]
    """For each question, what boxes are drawn for."""


def picture_frames(frame_count: int) -> range:
    """The numbered frames that a page shows: one a second, so that those STAGE looks at are every other one."""
    return range(1, min(frame_count, LAST_FRAME) + 1, FRAMES_PER_SECOND)


def clip_name(path: Path) -> str:
    """How questions name a film, or a folder of its frames."""
    return path.resolve().name if path.is_dir() else path.stem


def open_clip(
    path: Path, subtitles: Mapping[str, tuple[Sentence, ...]] | Path | None
) -> tuple[Clip, dict[int, Image]]:
    """A film, or a folder of its frames (3 a second), with a picture a second.

    subtitles: clip -> sentences, or a subtitle file; without them, a film's own track is read. Raises InputError
    if something can't be used.
    """
    if path.is_dir():
        folder = open_frames(path)
        count = folder.frame_count
        original = next(image for _, image in folder.frames(sorted(folder.images)[:1]))
        height, width = original.shape[:2]
        pictures = dict(folder.frames(picture_frames(count)))
    else:
        video = open_video(path)
        count, width, height = video.frame_count, video.width, video.height
        pictures = dict(video.frames(picture_frames(count), LONGEST_SIDE))
    name = clip_name(path)
    return Clip(name, count, width, height, _sentences(path, name, subtitles)), pictures


def make_task(
    clip: Clip,
    pictures: Mapping[int, Image],
    questions: Iterable[Question],
    tagger: Tagger,
    nouns: Mapping[str, Noun],
) -> Task:
    """All questions about a clip. Raises InputError if there are none, one has no right answer, or no frame that
    STAGE looks at has a picture.
    """
    about = tuple(q for q in questions if q.clip == clip.name)
    if not about:
        raise InputError(f"{clip.name}: no question is about it; a film is named as its questions' vid_name")
    if not any(frame in pictures for frame in range(1, clip.frame_count + 1, MODEL_STRIDE)):
        raise InputError(
            f"{clip.name}: has none of the frames 1, 7, 13..; extract 3 a second, numbered from 1"
        )
    for question in about:
        if question.answer_index is None:
            raise InputError(f"question {question.qid}: its right answer is not known; add answer_idx")
    return Task(clip, pictures, about, tuple(concepts_of(q, tagger, nouns) for q in about))


def render_task(task: Task) -> str:
    """One self-contained HTML page."""
    gallery = Gallery()
    places = {frame: gallery.add(image) for frame, image in task.pictures.items()}
    encoded = gallery.encode(BYTES_A_PICTURE * max(1, len(task.pictures)))
    content = _content(task)
    content["key"] = _key(task)
    content["pictures"] = {frame: encoded[place].uri for frame, place in places.items()}
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
            script=Markup(script),  # our own files, in which nothing is filled in
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _key(task: Task) -> str:
    """What work is kept under in a browser: the clip and its questions. Their nouns can be judged anew meanwhile."""
    clip = task.clip
    known = [clip.name, clip.width, clip.height, clip.frame_count, [[q.qid, q.text] for q in task.questions]]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _content(task: Task) -> dict[str, Any]:
    """All that the page's script knows, but for the pictures."""
    clip = task.clip
    unboxed = partial(replace, boxes={})  # the first frame on, whatever was annotated before
    return {
        "format": FORMAT,
        "clip": clip.name,
        "width": clip.width,
        "height": clip.height,
        "frame_count": clip.frame_count,
        "duration": round(max(clip.duration, 1 / FRAMES_PER_SECOND), 3),
        "rate": FRAMES_PER_SECOND,
        "sentences": [{"start": s.start, "end": s.end, "text": plain(s.text)} for s in clip.sentences],
        "questions": [
            {
                "qid": question.qid,
                "question": plain(question.text),
                "answer": plain(question.answers[question.answer_index or 0]),
                "span": question.span,
                "concepts": _coloured(concepts),
                "frames": [
                    f for f in frames_of_question(unboxed(question), clip.frame_count) if f in task.pictures
                ],
            }
            for question, concepts in zip(task.questions, task.concepts, strict=True)
        ],
    }


def _coloured(concepts: Sequence[str]) -> list[dict[str, Any]]:
    colours = word_colours(concepts)
    return [{"label": word, "colour": colours[word.lower()]} for word in concepts]


def _sentences(
    path: Path, name: str, subtitles: Mapping[str, tuple[Sentence, ...]] | Path | None
) -> tuple[Sentence, ...]:
    if isinstance(subtitles, Path):
        return read_subtitles(subtitles).sentences
    if subtitles is not None:
        return subtitles.get(name, ())
    found = None if path.is_dir() else subtitles_of(path)
    return found.sentences if found else ()


def _environment() -> Environment:
    """Our templates, and the evidence page's style."""
    loader = ChoiceLoader([PackageLoader("stage", "collecting/web"), PackageLoader("stage", "page")])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
