"""Questions with their truth: TVQA+'s JSON lists and TVQA's JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from sys import intern
from typing import Any

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.types import Box, Question

BOX_SIDES = ("left", "top", "width", "height")
FARTHEST = 1e6
"""Pixels from the corner of the picture, beyond which a coordinate is a mistake."""
DECIMALS = 6
"""Of pixels. Files hold widths and a Box right edges; rounded so, shorter coordinates survive a round trip."""


def read_questions(path: Path) -> list[Question]:
    """Questions of a .json (or .json.gz) list, or of .jsonl lines.

    Raises InputError naming the file and the question that can't be read.
    """
    questions = [question_from_entry(entry, i, path) for i, entry in enumerate(read_entries(path), 1)]
    qids = [q.qid for q in questions]
    if len(set(qids)) != len(qids):
        twice = next(qid for i, qid in enumerate(qids) if qid in qids[:i])
        raise InputError(f"{path}, question {twice}: is there twice; every qid must be its own")
    return questions


def read_entries(path: Path) -> list[Any]:
    """The list that a file holds, whatever its entries are. Raises InputError if it holds none."""
    raw = _read_lines(path) if path.suffix == ".jsonl" else read_json(path)
    if not isinstance(raw, list):
        raise InputError(f"{path}: holds no list of questions; give an annotation file in TVQA+'s layout")
    return raw


def question_from_entry(entry: Any, number: int, path: Path) -> Question:
    """The question of the entry with this number (from 1) of a file. Raises InputError naming both."""
    try:
        return question_from_json(entry)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        qid = entry.get("qid", f"number {number}") if isinstance(entry, dict) else f"number {number}"
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}, question {qid}: {reason}") from None


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write questions as a list in TVQA+'s layout."""
    write_json(path, [question_to_json(question) for question in questions])


def question_from_json(entry: dict[str, Any]) -> Question:
    """One question. Raises KeyError or ValueError with the reason if it is not one."""
    if not isinstance(entry, dict):
        raise ValueError("is not an object with qid, vid_name, q, a0, a1, ...")
    answers: list[str] = []
    while (key := f"a{len(answers)}") in entry:
        answers.append(_text(entry, key))
    if len(answers) < 2:
        raise ValueError(f"has {len(answers)} candidate answers (a0, a1, ...); it needs two or more")
    index = entry.get("answer_idx")
    if index is not None:
        index = _whole(index, "answer_idx")
        if not 0 <= index < len(answers):
            raise ValueError(f"answer_idx is {index}, but there are {len(answers)} answers")
    return Question(
        qid=_whole(entry["qid"], "qid"),
        clip=_text(entry, "vid_name"),
        text=_text(entry, "q"),
        answers=tuple(answers),
        answer_index=index,
        span=_span(entry.get("ts")),
        boxes=_frames(entry.get("bbox") or {}),
    )


def question_to_json(question: Question) -> dict[str, Any]:
    """One question in TVQA+'s layout; what is not known is left out."""
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
        raise ValueError(f"{key} is {entry[key]!r}, which is not text")
    return str(entry[key])


def _whole(raw: Any, key: str) -> int:
    if type(raw) is int or (isinstance(raw, str) and raw.strip().isdecimal()):
        return int(raw)
    raise ValueError(f"{key} is {raw!r}, which is not a whole number")


def _span(raw: Any) -> tuple[float, float] | None:
    """[start, end], or TVQA's "start-end", in seconds; nothing if either is not a number."""
    if raw is None or raw == "":
        return None
    try:
        start, end = map(float, raw.split("-") if isinstance(raw, str) else raw)
    except (TypeError, ValueError):
        raise ValueError(f"ts is {raw!r}, not a start and an end in seconds") from None
    if math.isnan(start) or math.isnan(end):
        return None
    if not -math.inf < start <= end < math.inf:
        raise ValueError(f"ts is {raw!r}; a span must end, and not before it starts")
    return start, end


def _frames(raw: Any) -> dict[int, tuple[Box, ...]]:
    if not isinstance(raw, dict) or not all(isinstance(boxes, list) for boxes in raw.values()):
        raise ValueError("bbox does not map frame numbers to lists of boxes")
    if unnumbered := [frame for frame in raw if not frame.isdecimal() or int(frame) < 1]:
        raise ValueError(f"bbox has a frame {unnumbered[0]!r}; frames are numbered from 1")
    return {int(frame): _boxes(boxes, frame) for frame, boxes in raw.items()}


def _boxes(raw: Sequence[dict[str, Any]], frame: str) -> tuple[Box, ...]:
    boxes = []
    for entry in raw:
        try:
            left, top, width, height = (float(entry[side]) for side in BOX_SIDES)
            label = intern(_text(entry, "label"))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"a box of frame {frame} lacks {', '.join(BOX_SIDES)} or label") from None
        if not (
            0 <= width < FARTHEST and 0 <= height < FARTHEST and abs(left) < FARTHEST and abs(top) < FARTHEST
        ):
            raise ValueError(f"a box of frame {frame} has a negative size or is far from any picture")
        right, bottom = round(left + width, DECIMALS), round(top + height, DECIMALS)
        boxes.append(Box(left, top, right, bottom, label))
    return tuple(boxes)


def _box_to_json(frame: int, box: Box) -> dict[str, Any]:
    sides = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return {"img_id": frame, "label": box.label, **dict(zip(BOX_SIDES, map(_short, sides), strict=True))}


def _short(pixels: float) -> int | float:
    """Whole pixels as whole numbers, as in TVQA+."""
    rounded = round(float(pixels), DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded


def _read_lines(path: Path) -> list[Any]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); check the path") from None
    entries = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: is not JSON ({error})") from None
    return entries
