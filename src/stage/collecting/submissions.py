"""Submissions: what annotators save on the pages, read and validated."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from stage.annotation.clips import MAX_FRAME_COUNT
from stage.annotation.issues import Issues
from stage.annotation.vocabulary import normalise_word
from stage.errors import InputError
from stage.io import read_json
from stage.types import FRAMES_PER_SECOND, Box, Clip, Question
from stage.wording import detokenised

FORMAT = "stage collect 1"
STRICT = ConfigDict(extra="forbid", frozen=True)
MAX_PIXELS = 1_000_000
"""Of a clip's sides: anything larger is no film."""
TOLERANCE = 1 / FRAMES_PER_SECOND
"""Seconds that a span may reach beyond the last numbered frame, as a film may."""


class DrawnBox(BaseModel):
    """A rectangle around a concept, in pixels of the clip at its own size."""

    model_config = STRICT

    label: str = Field(min_length=1)
    left: FiniteFloat
    top: FiniteFloat
    width: FiniteFloat = Field(gt=0)
    height: FiniteFloat = Field(gt=0)


class SubmittedFrame(BaseModel):
    """A finished frame: each concept has boxes or is marked not visible."""

    model_config = STRICT

    boxes: tuple[DrawnBox, ...]
    not_visible: tuple[str, ...] = ()


class SubmittedQuestion(BaseModel):
    """A question with its refined span, in seconds, and its finished frames by number."""

    model_config = STRICT

    qid: int
    question: str | None = None
    """As the page showed it; older pages don't save it."""
    answer: str | None = None
    span: tuple[FiniteFloat, FiniteFloat]
    frames: Mapping[int, SubmittedFrame]
    finished: bool
    """Whether all frames of the span are finished."""


class SubmittedClip(BaseModel):
    """The content of a file saved by a page."""

    model_config = STRICT

    format: Literal["stage collect 1"]
    clip: str
    width: int = Field(gt=0, le=MAX_PIXELS)
    """Of the film that the page was made from, in pixels."""
    height: int = Field(gt=0, le=MAX_PIXELS)
    frame_count: int = Field(gt=0, le=MAX_FRAME_COUNT)
    questions: tuple[SubmittedQuestion, ...]


@dataclass(frozen=True, slots=True)
class RefinedQuestion:
    """A question with one annotator's span and boxes, and the file that they come from."""

    question: Question
    file: Path


@dataclass(frozen=True, slots=True)
class Submission:
    """A saved file: the film that its page was made from, and the questions with refined spans and boxes."""

    clip: Clip
    """Its size is the one that the boxes are measured in."""
    questions: tuple[RefinedQuestion, ...]
    file: Path


def read_submission(path: Path, questions: Mapping[int, Question], issues: Issues) -> Submission:
    """Read a saved file.

    questions: by qid. Issues that aren't errors are added to `issues`. Raises InputError naming the file, and the
    question with an invalid span, frame, box or label.
    """
    clip = _read_clip(path)
    refined: dict[int, RefinedQuestion] = {}
    for submitted in clip.questions:
        where = f"{path}, question {submitted.qid}"
        if submitted.qid in refined:
            raise InputError(f"{where}: occurs twice; save the page again")
        if submitted.qid not in questions:
            raise InputError(
                f"{where}: is not among the questions; give the file that the page was made from"
            )
        question = questions[submitted.qid]
        for error in _errors(submitted, clip, question):
            raise InputError(f"{where}: {error}")
        if _was_changed(submitted, question):
            issues.add("questions or answers that were changed since the page was made", where)
        if not submitted.finished:
            issues.add("questions with unfinished frames", where)
        for frame in _frames_outside_span(submitted):
            issues.add("frames outside the refined span", f"frame {frame}, {where}")
        boxes = {n: tuple(map(_box, submitted.frames[n].boxes)) for n in sorted(submitted.frames)}
        refined[submitted.qid] = RefinedQuestion(replace(question, span=submitted.span, boxes=boxes), path)
    return Submission(
        Clip(clip.clip, clip.frame_count, clip.width, clip.height), tuple(refined.values()), path
    )


def _read_clip(path: Path) -> SubmittedClip:
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError(f"{path}: wasn't saved by a page of `stage collect task`; is it the right file?")
    try:
        return SubmittedClip.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{path}{_location(first['loc'], raw)}: {first['msg']}; save the page again"
        ) from None


def _location(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """The location of a validation error, in words; a question is named by its qid, if it has one."""
    match location:
        case ("questions", int(number), *within):
            entry = raw["questions"][number]
            qid = entry.get("qid") if isinstance(entry, dict) else None
            named = f", question {f'number {number + 1}' if qid is None else _in_line(qid)}"
            return f"{named}, {'.'.join(map(_in_line, within))}" if within else named
        case _:
            return f", {'.'.join(map(_in_line, location))}"


def _in_line(value: object) -> str:
    """A value from a file as a part of a line: short, and without line breaks."""
    return textwrap.shorten(str(value), 40)


def _errors(submitted: SubmittedQuestion, clip: SubmittedClip, question: Question) -> Iterator[str]:
    """What is invalid, and what to do about it."""
    start, end = submitted.span
    duration = clip.frame_count / FRAMES_PER_SECOND
    if question.clip != clip.clip:
        yield f"is about {question.clip!r}, not {clip.clip!r}; give the file that the page was made from"
    if not 0 <= start < end:
        yield f"its span is {start:g} to {end:g} s; it must not start before 0, and must end after it starts"
    if start > duration:
        yield f"its span starts at {start:g} s, after the end of the clip; correct it on the page"
    if end > duration + TOLERANCE:
        yield f"its span ends at {end:g} s, but the clip at {duration:.1f} s; correct it on the page"
    words = {normalise_word(word) for word in question.text.split()}
    if question.answer_index is not None:
        words.update(normalise_word(word) for word in question.answers[question.answer_index].split())
    for number, frame in submitted.frames.items():
        if not 1 <= number <= clip.frame_count:
            yield f"has a frame {number}; the clip has frames 1 to {clip.frame_count}"
        for box in frame.boxes:
            right, bottom = box.left + box.width, box.top + box.height
            if box.left < 0 or box.top < 0 or right > clip.width or bottom > clip.height:
                yield (
                    f"the box of {box.label!r} in frame {number} extends beyond the frame "
                    f"({clip.width} x {clip.height}); draw it again"
                )
            if normalise_word(box.label) not in words:
                yield (
                    f"{box.label!r} is no word of the question or its right answer; "
                    "was the question changed since the page was made?"
                )


def _was_changed(submitted: SubmittedQuestion, question: Question) -> bool:
    answer = None if question.answer_index is None else question.answers[question.answer_index]
    pairs = (submitted.question, question.text), (submitted.answer, answer)
    return any(None not in pair and pair[0] != detokenised(str(pair[1])) for pair in pairs)


def _frames_outside_span(submitted: SubmittedQuestion) -> Iterator[int]:
    """Frames outside the refined span; a span between two frames may have one, the nearest."""
    start, end = submitted.span
    outside = [frame for frame in submitted.frames if not start <= frame / FRAMES_PER_SECOND <= end]
    if len(submitted.frames) > 1 or not outside:
        yield from outside


def _box(drawn: DrawnBox) -> Box:
    return Box(drawn.left, drawn.top, drawn.left + drawn.width, drawn.top + drawn.height, drawn.label)
