"""A canvas for flat vector shapes that knows which of its pixels belong to which thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from stage.sitcom.world import HEIGHT, WIDTH, Camera
from stage.types import Box, Image

Color = tuple[int, int, int]
Point = tuple[float, float]

SUBPIXEL_BITS = 4
LEAST_VISIBLE_SHARE = 0.35
LEAST_SHARE_IN_SHOT = 0.3
LEAST_PIXELS = 60


@dataclass(slots=True)
class Item:
    """Something with a box: how much of it was drawn, and how far it reaches beyond the picture."""

    label: str
    drawn: int = 0
    reach: tuple[float, float, float, float] = (np.inf, np.inf, -np.inf, -np.inf)


class Canvas:
    """Shapes in stage coordinates, seen through a camera. Later shapes cover earlier ones."""

    def __init__(self, camera: Camera, background: Image | None = None) -> None:
        self.picture: Image = (
            np.zeros((HEIGHT, WIDTH, 3), np.uint8) if background is None else background.copy()
        )
        self.owner = np.zeros((HEIGHT, WIDTH), np.uint8)
        self.items: list[Item] = []
        self.inside = 0
        self.zoom = max(1.0, camera.zoom)
        # The shot never shows what lies beyond the stage.
        half_width, half_height = WIDTH / 2 / self.zoom, HEIGHT / 2 / self.zoom
        self.left = min(max(camera.x, half_width), WIDTH - half_width) - half_width
        self.top = min(max(camera.y, half_height), HEIGHT - half_height) - half_height

    def copy(self) -> Canvas:
        """A canvas of its own with what has been drawn."""
        other = copy(self)
        other.picture, other.owner = self.picture.copy(), self.owner.copy()
        other.items = [replace(item) for item in self.items]
        return other

    @contextmanager
    def item(self, label: str) -> Iterator[None]:
        """Shapes drawn within belong to one thing, which gets a box. Not to be nested."""
        self.items.append(Item(label))
        self.inside = len(self.items)
        yield
        self.items[-1].drawn = int(np.count_nonzero(self.owner == self.inside))
        self.inside = 0

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        self._fill(np.asarray(points, np.float64), color)

    def rectangle(self, x: float, y: float, w: float, h: float, color: Color, r: float = 0.0) -> None:
        """Upper left corner (x, y), corners rounded with radius r."""
        if r <= 0:
            self.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], color)
            return
        r = min(r, w / 2, h / 2)
        turns = np.linspace(0, np.pi / 2, 5)
        corners = [(x + w - r, y + h - r, 0), (x + r, y + h - r, 1), (x + r, y + r, 2), (x + w - r, y + r, 3)]
        points = [
            (cx + r * np.cos(t + q * np.pi / 2), cy + r * np.sin(t + q * np.pi / 2))
            for cx, cy, q in corners
            for t in turns
        ]
        self.polygon(points, color)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, color: Color, start: float = 0, end: float = 360
    ) -> None:
        """Middle (x, y); of a part, from `start` to `end` degrees (clockwise from the right), the chord's segment."""
        turns = np.radians(np.linspace(start, end, max(6, int(abs(end - start) / 14))))
        self._fill(np.column_stack([x + rx * np.cos(turns), y + ry * np.sin(turns)]), color)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """Strokes with round ends."""
        for (x0, y0), (x1, y1) in pairwise(points):
            length = max(np.hypot(x1 - x0, y1 - y0), 1e-6)
            dx, dy = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
            self._fill(
                np.array([(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)]),
                color,
            )
            if width * self.zoom > 3:
                self.ellipse(x0, y0, width / 2, width / 2, color)
                self.ellipse(x1, y1, width / 2, width / 2, color)

    def boxes(self) -> tuple[Box, ...]:
        """The boxes of what can be seen of the things, in the order they were drawn."""
        found = []
        for number, item in enumerate(self.items, 1):
            mine = self.owner == number
            visible = int(np.count_nonzero(mine))
            if visible < LEAST_PIXELS or visible < LEAST_VISIBLE_SHARE * item.drawn:
                continue
            columns, rows = mine.any(0).nonzero()[0], mine.any(1).nonzero()[0]
            box = Box(
                float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1), item.label
            )
            left, top, right, bottom = item.reach
            in_shot = max(0.0, min(right, WIDTH) - max(left, 0)) * max(0.0, min(bottom, HEIGHT) - max(top, 0))
            if in_shot >= LEAST_SHARE_IN_SHOT * (right - left) * (bottom - top):
                found.append(box)
        return tuple(found)

    def _fill(self, points: np.ndarray[tuple[int, int], np.dtype[np.float64]], color: Color) -> None:
        seen = (points - (self.left, self.top)) * self.zoom
        (left, top), (right, bottom) = seen.min(0), seen.max(0)
        if self.inside:
            item = self.items[-1]
            a, b, c, d = item.reach
            item.reach = (min(a, left), min(b, top), max(c, right), max(d, bottom))
        if right < 0 or bottom < 0 or left > WIDTH or top > HEIGHT:
            return
        fixed = np.round(seen * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(self.picture, [fixed], color, cv2.LINE_AA, SUBPIXEL_BITS)
        if self.inside or self.items:
            cv2.fillPoly(self.owner, [fixed], self.inside, cv2.LINE_8, SUBPIXEL_BITS)
