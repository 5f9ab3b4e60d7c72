"""What a person has done on a page: the file that it saves, checked against the questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from stage.annotation.issues import Issues
from stage.annotation.vocabulary import fold
from stage.errors import InputError
from stage.io import read_json
from stage.types import FRAMES_PER_SECOND, Box, Question

FORMAT = "stage collect 1"
STRICT = ConfigDict(extra="forbid", frozen=True)


class DrawnBox(BaseModel):
    """A rectangle round a concept, in pixels of the clip's own picture."""

    model_config = STRICT

    label: str = Field(min_length=1)
    left: FiniteFloat
    top: FiniteFloat
    width: FiniteFloat = Field(gt=0)
    height: FiniteFloat = Field(gt=0)


class SubmittedFrame(BaseModel):
    """A frame in which each concept has boxes or is not visible."""

    model_config = STRICT

    boxes: tuple[DrawnBox, ...]
    not_visible: tuple[str, ...] = ()


class SubmittedQuestion(BaseModel):
    """A question with its refined span, in seconds, and the frames that were looked at."""

    model_config = STRICT

    qid: int
    span: tuple[FiniteFloat, FiniteFloat]
    frames: Mapping[int, SubmittedFrame]
    finished: bool
    """Whether all frames of the span were looked at."""


class SubmittedClip(BaseModel):
    """What a page saves."""

    model_config = STRICT

    format: Literal["stage collect 1"]
    clip: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_count: int = Field(gt=0)
    questions: tuple[SubmittedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Refined:
    """A question as one person left it, with the file that says so."""

    question: Question
    file: Path


def read_submission(path: Path, asked: Mapping[int, Question], findings: Issues) -> list[Refined]:
    """The questions of a saved file, with refined spans and boxes.

    asked: the questions by qid. What is odd, but can be, is added to the findings. Raises InputError naming the
    file and the question whose span, frames, boxes or labels can't be.
    """
    saved = _validated(path)
    refined: dict[int, Refined] = {}
    for done in saved.questions:
        where = f"{path}, question {done.qid}"
        if done.qid in refined:
            raise InputError(f"{where}: is there twice; save the page again")
        if done.qid not in asked:
            raise InputError(
                f"{where}: is not among the questions; give the file that the page was made from"
            )
        for fault in _faults(done, saved, asked[done.qid]):
            raise InputError(f"{where}: {fault}")
        if not done.finished:
            findings.add("questions with frames that were not looked at", where)
        for frame in _outside(done):
            findings.add("frames outside the refined span", f"frame {frame}, {where}")
        boxes = {frame: tuple(map(_box, done.frames[frame].boxes)) for frame in sorted(done.frames)}
        refined[done.qid] = Refined(replace(asked[done.qid], span=done.span, boxes=boxes), path)
    return list(refined.values())


def _validated(path: Path) -> SubmittedClip:
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError(f"{path}: was not saved by a page of `stage collect task`; is it the right file?")
    try:
        return SubmittedClip.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}{_place(first['loc'], raw)}: {first['msg']}; save the page again") from None


def _place(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """Where a validation error lies; a question by its qid, if it has one."""
    match location:
        case ("questions", int(number), *within):
            entry = raw["questions"][number]
            qid = entry.get("qid") if isinstance(entry, dict) else None
            named = f", question {f'number {number + 1}' if qid is None else qid}"
            return f"{named}, {'.'.join(map(str, within))}" if within else named
        case _:
            return f", {'.'.join(map(str, location))}"


def _faults(done: SubmittedQuestion, saved: SubmittedClip, question: Question) -> Iterator[str]:
    """What can't be, with what to do."""
    start, end = done.span
    if question.clip != saved.clip:
        yield f"is about {question.clip!r}, not {saved.clip!r}; give the file that the page was made from"
    if not 0 <= start < end:
        yield f"its span is {start:g} to {end:g} s; a span must end after it starts, and not start before 0"
    if start > saved.frame_count / FRAMES_PER_SECOND:
        yield f"its span starts at {start:g} s, past the clip's end; set it on the page"
    words = {fold(word) for word in question.text.split()}
    if question.answer_index is not None:
        words.update(fold(word) for word in question.answers[question.answer_index].split())
    for number, frame in done.frames.items():
        if not 1 <= number <= saved.frame_count:
            yield f"has a frame {number}; the clip has frames 1 to {saved.frame_count}"
        for box in frame.boxes:
            right, bottom = box.left + box.width, box.top + box.height
            if box.left < 0 or box.top < 0 or right > saved.width or bottom > saved.height:
                yield (
                    f"the box of {box.label!r} in frame {number} reaches out of the picture "
                    f"({saved.width} x {saved.height}); draw it again"
                )
            if fold(box.label) not in words:
                yield f"{box.label!r} is no word of it or of its right answer; was the question changed since?"


def _outside(done: SubmittedQuestion) -> Iterator[int]:
    """Frames that don't show the span, but for the one that a very short span is seen through."""
    start, end = done.span
    outside = [frame for frame in done.frames if not start <= frame / FRAMES_PER_SECOND <= end]
    if len(done.frames) > 1 or not outside:
        yield from outside


def _box(drawn: DrawnBox) -> Box:
    return Box(drawn.left, drawn.top, drawn.left + drawn.width, drawn.top + drawn.height, drawn.label)
