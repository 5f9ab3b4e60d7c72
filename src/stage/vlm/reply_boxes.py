"""Boxes that models print, read: objects of JSON, tags and lists, in thousandths, fractions or pixels"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stage.vlm.chat import BoxUnit
from stage.vlm.replies import number, objects_in, spoken
from stage.wording import counted, quoted

MOST_BOXES = 100
LONGEST_LABEL = 80

_BOX_KEYS = ("bbox_2d", "bbox", "box")
_TOP_FIRST = "box_2d"
"""The key of boxes as Gemini and Gemma print them: top, left, bottom, right."""
_LABEL_KEYS, _TIME_KEYS = ("label", "name", "object", "word"), ("time", "t", "timestamp", "second")
_NUMBER = r"-?\d{1,7}(?:\.\d{1,9})?"
_FOUR = re.compile(rf"[\[(]\s{{0,9}}({_NUMBER}(?:\s{{0,9}},\s{{0,9}}{_NUMBER}){{3}})\s{{0,9}}[\])]")
_CORNER = rf"\(\s{{0,3}}({_NUMBER}),\s{{0,3}}({_NUMBER})\s{{0,3}}\)"
_CORNERS = re.compile(rf"{_CORNER},\s{{0,3}}{_CORNER}")
_TAGS = re.compile(
    r"<(?:obj|ref)>([^<>]{0,200})</(?:obj|ref)>\s{0,9}<box>([^<>]{0,400})</box>"
    rf"(?:\s{{0,9}}at\s{{0,9}}<t>\s{{0,9}}({_NUMBER})\s{{0,9}}</t>)?"
)
_POINTS = re.compile(r"<points?\b([^<>]{0,4000})>([^<>]{0,200})")
_COORDS = re.compile(r'coords="([^"]{0,4000})"')
_AXIS = re.compile(rf'\b([xy])\d{{0,3}}="\s{{0,3}}({_NUMBER})\s{{0,3}}"')


@dataclass(frozen=True, slots=True)
class SeenBox:
    """A box that a model printed."""

    label: str
    corners: tuple[float, float, float, float]
    """Left, top, right, bottom, as fractions of the picture, within it."""
    second: float | None = None
    """The time that was printed with it."""


@dataclass(frozen=True, slots=True)
class SeenPoint:
    """A point that a model printed."""

    label: str
    x: float
    """Fraction of the picture's width."""
    y: float
    second: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reply shows in a picture, and what could not be read."""

    boxes: tuple[SeenBox, ...] = ()
    points: tuple[SeenPoint, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Raw:
    label: str
    numbers: tuple[float, ...]
    second: float | None = None


def boxes_in(text: str, picture: tuple[int, int], unit: BoxUnit | None) -> Shown:
    """The boxes and points of a reply.

    picture: width and height of the picture as the model got it, in pixels. unit: that of its family; None if it is
    not known. Boxes in another unit that fits better are read in that one, with a note.
    """
    said = spoken(text)
    raw, notes = _raw_boxes(said)
    if len(raw) > MOST_BOXES:
        notes.append(f"the model printed {counted(len(raw), 'box', 'boxes')}, and {MOST_BOXES} are read")
    whole = [
        box for box in raw[:MOST_BOXES] if len(box.numbers) == 4 and all(map(math.isfinite, box.numbers))
    ]
    if broken := min(len(raw), MOST_BOXES) - len(whole):
        notes.append(f"{counted(broken, 'box', 'boxes')} without four finite numbers are left out")
    scale, unit_notes = _scale([box.numbers for box in whole], picture, unit)
    boxes: list[SeenBox] = []
    for box in whole:
        left, top, right, bottom = (value / size for value, size in zip(box.numbers, scale, strict=True))
        if right < left or bottom < top:
            notes.append("a box with its corners the wrong way round is turned")
        left, right, top, bottom = *sorted((left, right)), *sorted((top, bottom))
        inside = tuple(min(1.0, max(0.0, side)) for side in (left, top, right, bottom))
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            notes.append("a box without an area, or outside the picture, is left out")
            continue
        if inside != (left, top, right, bottom):
            notes.append("a box that goes beyond the picture is cut")
        boxes.append(SeenBox(box.label, (inside[0], inside[1], inside[2], inside[3]), box.second))
    points, point_notes = _points(said)
    if not raw and not points and said.strip() not in ("[]", "{}", ""):
        notes.append(f"no box could be read in the reply {quoted(said.strip())}")
    return Shown(tuple(boxes), points, tuple(dict.fromkeys((*notes, *unit_notes, *point_notes))))


def _raw_boxes(text: str) -> tuple[list[_Raw], list[str]]:
    """Boxes of tags, else of objects, else of lists or corners without labels; and notes."""
    tagged = [
        _Raw(_label(label), numbers, number(second) if second else None)
        for label, inner, second in _TAGS.findall(text)
        for numbers in _fours(inner) or [()]
    ]
    if tagged:
        return tagged, []
    objects, unread = objects_in(text)
    notes = (
        [f"{counted(unread, 'entry', 'entries')} of the reply can't be read, or was cut off"]
        if unread
        else []
    )
    named = [box for entry in objects for box in _of_object(entry)]
    return named or [_Raw("", numbers) for numbers in _fours(text)], notes


def _of_object(entry: dict[str, Any]) -> Iterator[_Raw]:
    key = next((key for key in (*_BOX_KEYS, _TOP_FIRST) if key in entry), None)
    if key is None:
        return
    label = next((entry[key] for key in _LABEL_KEYS if isinstance(entry.get(key), str)), "")
    times = (number(entry[key]) for key in _TIME_KEYS if key in entry)
    second = next((time for time in times if math.isfinite(time)), None)
    value = entry[key]
    several = isinstance(value, list) and value and all(isinstance(part, list) for part in value)
    for sides in value[: MOST_BOXES + 1] if several else [value]:
        numbers = tuple(map(number, sides[:5])) if isinstance(sides, list) else ()
        if key == _TOP_FIRST and len(numbers) == 4:
            numbers = (numbers[1], numbers[0], numbers[3], numbers[2])
        yield _Raw(_label(label), numbers, second)


def _fours(text: str) -> list[tuple[float, ...]]:
    lists = [tuple(map(float, found.split(","))) for found in _FOUR.findall(text)]
    return lists or [tuple(map(float, corners)) for corners in _CORNERS.findall(text)]


def _label(text: str) -> str:
    return " ".join(text.split())[:LONGEST_LABEL]


def _scale(
    boxes: Sequence[Sequence[float]], picture: tuple[int, int], unit: BoxUnit | None
) -> tuple[tuple[float, float, float, float], tuple[str, ...]]:
    """What each side is divided by, decided for all boxes of a reply together; and notes."""
    width, height = picture
    pixels, thousandths = (float(width), float(height)) * 2, (1000.0,) * 4
    sides = [side for box in boxes for side in box]
    if not sides:
        return thousandths, ()
    if max(sides) <= 1 and any(side % 1 for side in sides):
        return (1.0,) * 4, () if unit is None else ("boxes of 0 to 1 are read as fractions of the picture",)
    fits_picture = all(side <= size for box in boxes for side, size in zip(box, pixels, strict=True))
    fits_thousandths = max(sides) <= 1000
    if unit == "pixels":
        if fits_picture or not fits_thousandths:
            return pixels, ()
        return thousandths, ("boxes beyond the picture are read as thousandths of it, not as pixels",)
    if unit == "thousandths":
        if fits_thousandths or not fits_picture:
            return thousandths, ()
        return pixels, ("boxes beyond 1000 are read as pixels, not as thousandths of the picture",)
    if fits_thousandths and not fits_picture:
        return thousandths, ()
    return pixels, () if not fits_thousandths else (
        "it is not known in what units this model prints boxes: read as pixels",
    )


def _points(text: str) -> tuple[tuple[SeenPoint, ...], tuple[str, ...]]:
    """Points of Molmo: coords="SECOND ID X Y ID X Y; SECOND ..." in thousandths, or x and y in percent."""
    points: list[SeenPoint] = []
    unread = 0
    for attributes, label in _POINTS.findall(text):
        if coords := _COORDS.search(attributes):
            for group in re.split(r"[;\t]", coords[1]):
                values = [number(value) for value in group.split()]
                second, rest = (values[0], values[1:]) if values else (math.nan, [])
                if not rest or len(rest) % 3 or not all(map(math.isfinite, values)):
                    unread += 1
                    continue
                pairs = zip(rest[1::3], rest[2::3], strict=True)
                points += [SeenPoint(_label(label), x / 1000, y / 1000, second) for x, y in pairs]
        else:
            axes = _AXIS.findall(attributes)
            xs, ys = ([float(value) / 100 for axis, value in axes if axis == wanted] for wanted in "xy")
            unread += not xs or len(xs) != len(ys)
            points += [SeenPoint(_label(label), x, y) for x, y in zip(xs, ys, strict=False)]
    inside = tuple(point for point in points[:MOST_BOXES] if 0 <= point.x <= 1 and 0 <= point.y <= 1)
    lost = unread + len(points) - len(inside)
    return inside, (f"{counted(lost, 'point')} can't be read, or lies outside the picture",) if lost else ()
