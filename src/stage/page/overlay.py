"""Boxes and tags drawn over a frame, positioned in percent of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stage.annotation.vocabulary import normalise_word
from stage.types import Box, Clip, WordBoxes

_FRAME_WIDTH = 420.0
_TAG_HEIGHT, _TAG_PADDING, _LETTER_WIDTH = 20.0, 10.0, 7.2
"""Approximate CSS pixels, to keep tags from overlapping. The width is between that on a phone and on a laptop."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The outline of a box. Left, top, width and height in percent of the frame."""

    left: float
    top: float
    width: float
    height: float
    colour: int | None
    name: str
    best: bool = True
    """Whether it is the best box of its word in this frame."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A word and its score, at a corner of a box."""

    text: str
    colour: int | None
    x: float
    """Percent from the left, or from the right."""
    y: float
    """Percent from the top."""
    from_right: bool
    above: bool
    """Whether y is its lower edge, or its upper one."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Everything that is drawn over a frame."""

    outlines: tuple[Outline, ...]
    tags: tuple[Tag, ...]
    true_outlines: tuple[Outline, ...]


def overlay(
    clip: Clip, grounding: Sequence[WordBoxes], truth: Sequence[Box], colours: Mapping[str, int]
) -> Overlay:
    """Outlines of all predicted boxes, tags at the best box of each word, and outlines of the true boxes.

    truth: the annotated boxes. colours: concept word (normalised) -> index of its colour.
    """
    outlines = [
        _outline(
            clip, box, colours.get(normalise_word(words.word)), f"{words.word} {box.score:.2f}", best=i == 0
        )
        for words in grounding
        for i, box in enumerate(words.boxes)
    ]
    true = tuple(
        _outline(clip, box, colours.get(normalise_word(box.label)), f"true: {box.label}") for box in truth
    )
    largest_first = sorted(outlines, key=lambda o: (o.best, -o.width * o.height))
    return Overlay(tuple(largest_first), _tags([o for o in outlines if o.best], clip), true)


def _outline(clip: Clip, box: Box, colour: int | None, name: str, best: bool = True) -> Outline:
    left, right = (_percent(x, clip.width) for x in sorted((box.left, box.right)))
    top, bottom = (_percent(y, clip.height) for y in sorted((box.top, box.bottom)))
    return Outline(left, top, right - left, bottom - top, colour, name, best)


def _percent(part: float, whole: int) -> float:
    return min(100.0, max(0.0, 100 * part / whole))


def _tags(outlines: Iterable[Outline], clip: Clip) -> tuple[Tag, ...]:
    """Each tag goes to the first corner of its box where it overlaps no other tag."""
    placed: list[Tag] = []
    for outline in outlines:
        corners = [tag for tag in _positions(outline) if _inside(_extent(tag, clip))]
        free = [t for t in corners if not any(_overlap(_extent(t, clip), _extent(p, clip)) for p in placed)]
        placed.append((free or corners or list(_positions(outline)))[0])
    return tuple(placed)


def _positions(o: Outline) -> Iterable[Tag]:
    """The tag at each corner of a box, outside and inside."""
    bottom, right = o.top + o.height, 100 - o.left - o.width
    for x, from_right in ((o.left, False), (right, True)):
        for y, above in ((o.top, True), (o.top, False), (bottom, True), (bottom, False)):
            yield Tag(o.name, o.colour, x, y, from_right, above)


def _extent(tag: Tag, clip: Clip) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a tag, in percent of the frame."""
    width = 100 * (_TAG_PADDING + _LETTER_WIDTH * len(tag.text)) / _FRAME_WIDTH
    height = 100 * _TAG_HEIGHT / (_FRAME_WIDTH * clip.height / clip.width)
    left = 100 - tag.x - width if tag.from_right else tag.x
    top = tag.y - height if tag.above else tag.y
    return left, top, left + width, top + height


def _inside(extent: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = extent
    return left >= 0 and top >= 0 and right <= 100 and bottom <= 100


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
