"""Colours by name: the shares of a picture, or of the parts of a region, that people would call by each name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stage.features.protocols import RegionDetector
from stage.features.registry import cache_name
from stage.types import Array, Image, Regions

NAMES = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "skin",
)  # fmt: skip
"""The basic colour names of English, and the tones of skin, which would else be read as brown or pink clothes."""
SYNONYMS = {
    "gray": "grey", "silver": "grey", "dark": "black", "violet": "purple", "lilac": "purple", "magenta": "pink",
    "navy": "blue", "turquoise": "blue", "cyan": "blue", "teal": "blue", "maroon": "red", "crimson": "red",
    "scarlet": "red", "burgundy": "red", "golden": "yellow", "gold": "yellow", "blond": "yellow",
    "blonde": "yellow", "beige": "skin", "tan": "skin", "khaki": "brown", "olive": "green", "lime": "green",
}  # fmt: skip
"""Other words for colours -> the nearest name."""
PARTS = {"whole": (0.0, 1.0), "top": (0.0, 0.2), "upper": (0.2, 0.5), "lower": (0.5, 1.0)}
"""Parts of a region, from its upper edge in shares of its height, or of what its height would be: see STATURE."""
STATURE = 2.4
"""A region that ends at the picture's lower edge may be of a person who is cut off there: it is taken to be so many
times as tall as wide, if it is less, for its parts but the whole."""
AT_THE_EDGE = 0.03
"""Of a picture's height: a region that ends so near to its lower edge ends there."""
DARK_EDGE = 24
"""Rows and columns at a picture's edges whose brightest value is lower are bars, and not read."""
INNER = (0.2, 0.8)
"""The part of a region's width that is read, since at the edges of a box there is background."""
DIM = len(PARTS) * len(NAMES)
"""Numbers of a region: a share for each part and name."""
VERSION = 2
MOST_PIXELS = 64
"""Of each side of a part that are read, evenly spaced."""

_BLACK, _WHITE, _GREY_SATURATION, _SKIN_SATURATION = 0.2, 0.72, 0.16, 0.55
_HUES = (
    (15.0, "red"), (42.0, "orange"), (70.0, "yellow"), (170.0, "green"), (255.0, "blue"), (295.0, "purple"),
    (342.0, "pink"), (360.0, "red"),
)  # fmt: skip
"""Hue in degrees up to which a vivid colour has this name."""
NEIGHBOURS = (
    ("red", "orange"), ("red", "pink"), ("red", "brown"), ("orange", "brown"), ("orange", "yellow"),
    ("orange", "skin"), ("brown", "skin"), ("pink", "purple"), ("pink", "skin"), ("purple", "blue"),
    ("black", "grey"), ("grey", "white"),
)  # fmt: skip
"""Names that people give to the same thing in other light."""
NEIGHBOUR = 0.4
"""What the share of a neighbour counts for a colour."""
LIKENESS = np.eye(len(NAMES), dtype=np.float32)
for _first, _second in NEIGHBOURS:
    _i, _j = NAMES.index(_first), NAMES.index(_second)
    LIKENESS[_i, _j] = LIKENESS[_j, _i] = NEIGHBOUR
_LIMITS = np.array([limit for limit, _ in _HUES])
_OF_HUE = np.array([NAMES.index(name) for _, name in _HUES])


def colour_in(word: str) -> str | None:
    """The basic colour that a word (lower case) names; None if it names none."""
    word = SYNONYMS.get(word, word)
    return word if word in NAMES else None


def colour_names(pixels: Image) -> npt.NDArray[np.int64]:
    """The position in NAMES of each pixel's colour. pixels: (..., 3) RGB."""
    rgb: Array = np.asarray(pixels / np.float32(255), np.float32)
    value, least = rgb.max(-1), rgb.min(-1)
    chroma = value - least
    saturation = chroma / np.maximum(value, 1e-6)
    hue = _hue(rgb, value, chroma)
    names = _OF_HUE[np.minimum(np.searchsorted(_LIMITS, hue), len(_LIMITS) - 1)]
    number = NAMES.index
    warm, reddish = (hue >= 8) & (hue < 50), (hue < 20) | (hue >= 330)
    names = np.where(reddish & (value > 0.7) & (saturation < 0.55), number("pink"), names)
    names = np.where((hue >= 255) & (hue < 342) & (value < 0.5), number("purple"), names)
    names = np.where(warm & (value < 0.62), number("brown"), names)
    pale = warm & (saturation < _SKIN_SATURATION) & (value >= 0.45)
    names = np.where(pale, number("skin"), names)
    dull = (saturation < _GREY_SATURATION) | (chroma < 0.07)
    greys = np.where(value >= _WHITE, number("white"), number("grey"))
    names = np.where(dull, greys, names)
    names = np.where((value < _BLACK) | (dull & (value < 0.28)), number("black"), names)
    return names.astype(np.int64)


def _hue(rgb: Any, value: Any, chroma: Any) -> Array:
    """In degrees, 0 where there is none."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    safe = np.where(chroma > 0, chroma, 1)
    hue = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return np.where(chroma > 0, 60 * hue, 0).astype(np.float32)


def shares(pixels: Image) -> Array:
    """The share of each name among pixels (..., 3): (names,), summing to 1, or zeros if there are none."""
    counts = np.bincount(colour_names(pixels).ravel(), minlength=len(NAMES))
    return np.asarray(counts / max(1, counts.sum()), np.float32)


def content(image: Image) -> tuple[slice, slice]:
    """The rows and columns of a picture without black bars at its edges; all of a picture that is black."""
    bright = image.max(-1) >= DARK_EDGE
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if not len(rows):
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def picture_shares(image: Image) -> Array:
    """The shares of each name in a whole picture: (names,)."""
    picture = image[content(image)]
    rows, columns = (_pixels(0, size, size) for size in picture.shape[:2])
    return shares(picture[np.ix_(rows, columns)])


def region_shares(image: Image, box: Sequence[float]) -> Array:
    """The shares of each name in each part of a region: (parts, names). box: left, top, right, bottom in pixels.

    A part that is cut off has zeros.
    """
    within = content(image)
    picture, (rows, columns) = image[within], within
    height, width = picture.shape[:2]
    left, right = (min(max(0.0, x - columns.start), width) for x in (box[0], box[2]))
    top, bottom = (min(max(0.0, y - rows.start), height) for y in (box[1], box[3]))
    across = _pixels(left + INNER[0] * (right - left), left + INNER[1] * (right - left), width)
    found = np.zeros((len(PARTS), len(NAMES)), np.float32)
    for number, part in enumerate(PARTS):
        low, high = part_rows((left, top, right, bottom), part, height)
        if high > low:
            found[number] = shares(picture[np.ix_(_pixels(low, high, height), across)])
    return found


def part_rows(box: Sequence[float], part: str, height: float) -> tuple[float, float]:
    """The upper and lower edge, in pixels, of a part of a region in a picture of this height; empty if cut off."""
    left, top, right, bottom = box
    size, (first, last) = bottom - top, PARTS[part]
    if part != "whole" and bottom >= (1 - AT_THE_EDGE) * height:
        size = max(size, STATURE * (right - left))
    return min(top + first * size, bottom), min(top + last * size, bottom)


def _pixels(first: float, last: float, size: int) -> npt.NDArray[np.int64]:
    """At most MOST_PIXELS evenly spaced positions from `first` to `last`, at least one, in 0..size - 1."""
    low = min(max(0, int(first)), size - 1)
    high = min(max(low + 1, int(np.ceil(last))), size)
    count = min(MOST_PIXELS, high - low)
    return np.linspace(low, high - 1, count).astype(np.int64)


class ColourDetector:
    """A region detector whose regions have, as vectors, the colours of their parts."""

    def __init__(self, detector: RegionDetector) -> None:
        self.detector = detector

    @cached_property
    def name(self) -> str:
        """Identifies regions and vectors, for caches. It is no name that loads a detector."""
        return f"colours-{VERSION}:{cache_name(self.detector)}"

    @property
    def dim(self) -> int:
        return DIM

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The detector's regions, with vectors of their colours."""
        return [
            Regions(found.boxes, found.scores, _vectors(image, found.boxes), found.labels)
            for image, found in zip(images, self.detector.detect(images), strict=True)
        ]


def _vectors(image: Image, boxes: Array) -> Array:
    if not len(boxes):
        return np.zeros((0, DIM), np.float32)
    return np.stack([region_shares(image, box).ravel() for box in boxes.tolist()])
