"""Question files with their labels: TVQA+'s JSON lists and TVQA's JSON lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from sys import intern
from typing import Any

from stage.annotation.box_units import refuse_fractions
from stage.errors import InputError
from stage.io import OutputKind, parse_json, read_json, read_limited, write_json
from stage.media.clip_names import composed
from stage.types import MAX_SECONDS, Box, Question
from stage.wording import counted, quoted

BOX_SIDES = ("left", "top", "width", "height")
MAX_COORDINATE = 1e6
"""Pixels; a coordinate of this size or larger is an error."""
LONGEST_QID = 40
"""Characters of a qid, as it is quoted in messages."""
MAX_INTEGER = 2**63
"""Qids and frame numbers of this size or larger are errors."""
DECIMALS = 6
"""Pixels are rounded to this many. Files contain widths, a Box right edges: thus coordinates survive a round trip."""


def _is_annotation(path: Path) -> bool:
    return all(isinstance(entry, dict) and "qid" in entry for entry in read_entries(path))


ANNOTATION_FILE = OutputKind("an annotation file", _is_annotation)


def read_questions(path: str | Path) -> list[Question]:
    """Questions of a .json (or .json.gz) list, or of .jsonl lines.

    Raises InputError naming the file and the question that can't be read, or if the boxes are fractions of the frame.
    """
    path = Path(path)
    questions = [question_from_entry(entry, i, path) for i, entry in enumerate(read_entries(path), 1)]
    qids = [q.qid for q in questions]
    if len(set(qids)) != len(qids):
        duplicate = next(qid for i, qid in enumerate(qids) if qid in qids[:i])
        raise InputError(f"{path}, question {duplicate}: occurs twice; every qid must be unique")
    refuse_fractions(questions, path)
    return questions


def read_entries(path: Path) -> list[Any]:
    """The list in a file, its entries unchecked. Raises InputError if the file contains no list."""
    raw = _read_lines(path) if path.suffix == ".jsonl" else read_json(path)
    if not isinstance(raw, list):
        raise InputError(f"{path}: contains no list of questions; give an annotation file in TVQA+'s layout")
    return raw


def question_from_entry(entry: Any, number: int, path: Path) -> Question:
    """Parse one entry of a file; `number` counts from 1. Raises InputError naming the file and the question."""
    try:
        return question_from_json(entry)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        qid = (
            str(entry.get("qid", ""))
            if isinstance(entry, dict) and type(entry.get("qid")) in (int, str)
            else ""
        )
        qid = qid if 0 < len(qid) <= LONGEST_QID else f"number {number}"
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}, question {qid}: {reason}") from None


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write questions as a JSON list in TVQA+'s layout."""
    write_json(path, [question_to_json(question) for question in questions])


def question_from_json(entry: dict[str, Any]) -> Question:
    """Parse a question in TVQA+'s layout. Raises KeyError or ValueError with the reason if it isn't valid."""
    if not isinstance(entry, dict):
        raise ValueError("must be an object with qid, vid_name, q, a0, a1, ...")
    answers: list[str] = []
    while (key := f"a{len(answers)}") in entry:
        answers.append(_text(entry, key))
    if len(answers) < 2:
        raise ValueError(
            f"has {counted(len(answers), 'candidate answer')} (a0, a1, ...); it needs two or more"
        )
    if not any(map(str.split, (_text(entry, "q"), *answers))):
        raise ValueError("the question and all its answers are empty; write what is asked")
    index = entry.get("answer_idx")
    if index is not None:
        index = _integer(index, "answer_idx")
        if not 0 <= index < len(answers):
            raise ValueError(f"answer_idx is {index}, but there are {counted(len(answers), 'answer')}")
    return Question(
        qid=_integer(entry["qid"], "qid"),
        clip=composed(_text(entry, "vid_name")),
        text=_text(entry, "q"),
        answers=tuple(answers),
        answer_index=index,
        span=_span(entry.get("ts")),
        boxes=_frames(entry.get("bbox") or {}),
    )


def question_to_json(question: Question) -> dict[str, Any]:
    """One question in TVQA+'s layout; unknown labels are omitted."""
    entry: dict[str, Any] = {"qid": question.qid, "vid_name": question.clip, "q": question.text}
    entry |= {f"a{i}": answer for i, answer in enumerate(question.answers)}
    if question.answer_index is not None:
        entry["answer_idx"] = str(question.answer_index)
    if question.span is not None:
        entry["ts"] = list(question.span)
    if question.boxes:
        entry["bbox"] = {
            str(f): [_box_to_json(f, box) for box in boxes] for f, boxes in question.boxes.items()
        }
    return entry


def _text(entry: dict[str, Any], key: str) -> str:
    if not isinstance(entry[key], str):
        raise ValueError(f"{key} is {quoted(entry[key])}, which is not a string")
    return str(entry[key])


def _integer(raw: Any, key: str) -> int:
    if type(raw) is int or (isinstance(raw, str) and raw.strip().isdecimal()):
        if not -MAX_INTEGER < (number := int(raw)) < MAX_INTEGER:
            raise ValueError(f"{key} is too large an integer")
        return number
    raise ValueError(f"{key} is {quoted(raw)}, which is not an integer")


def _span(raw: Any) -> tuple[float, float] | None:
    """[start, end], or TVQA's "start-end", in seconds; None if either is NaN."""
    if raw is None or raw == "":
        return None
    try:
        if not isinstance(raw, str | list):
            raise TypeError
        start, end = map(float, raw.split("-") if isinstance(raw, str) else raw)
    except (TypeError, ValueError):
        raise ValueError(f"ts is {quoted(raw)}, not a start and an end in seconds") from None
    if math.isnan(start) or math.isnan(end):
        return None
    if not -MAX_SECONDS < start <= end < MAX_SECONDS:
        raise ValueError(
            f"ts is {quoted(raw)}; a span must be of seconds below {MAX_SECONDS:,} and can't end before it starts"
        )
    return start, end


def _frames(raw: Any) -> dict[int, tuple[Box, ...]]:
    if not isinstance(raw, dict) or not all(isinstance(boxes, list) for boxes in raw.values()):
        raise ValueError("bbox does not map frame numbers to lists of boxes")
    if invalid := [frame for frame in raw if not frame.isdecimal() or not 0 < int(frame) < MAX_INTEGER]:
        raise ValueError(f"bbox has a frame {quoted(invalid[0])}; frames are numbered from 1")
    frames = {int(frame): _boxes(boxes, frame) for frame, boxes in raw.items()}
    if len(frames) < len(raw):
        raise ValueError("bbox has one frame twice, as in 7 and 07")
    return frames


def _boxes(raw: Sequence[dict[str, Any]], frame: str) -> tuple[Box, ...]:
    boxes = []
    for entry in raw:
        try:
            left, top, width, height = (float(entry[side]) for side in BOX_SIDES)
            label = intern(_text(entry, "label"))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"a box of frame {frame} lacks {', '.join(BOX_SIDES)} or label") from None
        in_range = abs(left) < MAX_COORDINATE and abs(top) < MAX_COORDINATE
        if not (in_range and 0 <= width < MAX_COORDINATE and 0 <= height < MAX_COORDINATE):
            raise ValueError(f"a box of frame {frame} has a negative size or coordinates far out of range")
        right, bottom = round(left + width, DECIMALS), round(top + height, DECIMALS)
        boxes.append(Box(left, top, right, bottom, label))
    return tuple(boxes)


def _box_to_json(frame: int, box: Box) -> dict[str, Any]:
    sides = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return {"img_id": frame, "label": box.label, **dict(zip(BOX_SIDES, map(_rounded, sides), strict=True))}


def _rounded(pixels: float) -> int | float:
    """Pixels to DECIMALS; whole pixels as integers, as in TVQA+."""
    rounded = round(float(pixels), DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded


def _read_lines(path: Path) -> list[Any]:
    try:
        lines = (
            read_limited(path).decode("utf-8-sig").split("\n")
        )  # not at U+2028, which a string may contain
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: can't be read ({error}); check the path") from None
    return [parse_json(line, f"{path}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]
