"""A canvas for vector shapes that tracks which pixels belong to which object."""

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
MIN_VISIBLE_FRACTION = 0.35
"""Of an object's drawn pixels, that must not be occluded for it to get a box."""
MIN_FRACTION_IN_SHOT = 0.3
"""Of an object's extent, that must be inside the frame."""
MIN_PIXELS = 60
"""Visible pixels of an object with a box."""


@dataclass(slots=True)
class Item:
    """An object that gets a box."""

    label: str
    drawn: int = 0
    """Pixels inside the frame when it was drawn."""
    extent: tuple[float, float, float, float] = (np.inf, np.inf, -np.inf, -np.inf)
    """Left, top, right, bottom in pixels, also outside the frame."""


class Canvas:
    """Draws shapes in stage coordinates as seen by a camera. Later shapes cover earlier ones."""

    def __init__(self, camera: Camera, background: Image | None = None) -> None:
        self.image: Image = (
            np.zeros((HEIGHT, WIDTH, 3), np.uint8) if background is None else background.copy()
        )
        self.owner = np.zeros((HEIGHT, WIDTH), np.uint8)
        self.items: list[Item] = []
        self.current = 0
        self.zoom = max(1.0, camera.zoom)
        # The shot never extends beyond the stage.
        half_width, half_height = WIDTH / 2 / self.zoom, HEIGHT / 2 / self.zoom
        self.left = min(max(camera.x, half_width), WIDTH - half_width) - half_width
        self.top = min(max(camera.y, half_height), HEIGHT - half_height) - half_height

    def copy(self) -> Canvas:
        """An independent canvas with the same content."""
        other = copy(self)
        other.image, other.owner = self.image.copy(), self.owner.copy()
        other.items = [replace(item) for item in self.items]
        return other

    @contextmanager
    def item(self, label: str) -> Iterator[None]:
        """Shapes drawn within the context belong to one object, which gets a box. Not to be nested."""
        self.items.append(Item(label))
        self.current = len(self.items)
        yield
        self.items[-1].drawn = int(np.count_nonzero(self.owner == self.current))
        self.current = 0

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """A filled polygon."""
        self._fill(np.asarray(points, np.float64), color)

    def rectangle(self, x: float, y: float, w: float, h: float, color: Color, r: float = 0.0) -> None:
        """A filled rectangle: upper left corner (x, y), corner radius r."""
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
        """A filled ellipse with centre (x, y), or its segment between angles (degrees, clockwise from the right)."""
        turns = np.radians(np.linspace(start, end, max(6, int(abs(end - start) / 14))))
        self._fill(np.column_stack([x + rx * np.cos(turns), y + ry * np.sin(turns)]), color)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A polyline with round ends."""
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
        """The boxes of the visible parts of objects, in pixels, in the order in which they were drawn."""
        boxes = []
        for number, item in enumerate(self.items, 1):
            pixels = self.owner == number
            visible = int(np.count_nonzero(pixels))
            if visible < MIN_PIXELS or visible < MIN_VISIBLE_FRACTION * item.drawn:
                continue
            columns, rows = pixels.any(0).nonzero()[0], pixels.any(1).nonzero()[0]
            box = Box(
                float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1), item.label
            )
            left, top, right, bottom = item.extent
            in_shot = max(0.0, min(right, WIDTH) - max(left, 0)) * max(0.0, min(bottom, HEIGHT) - max(top, 0))
            if in_shot >= MIN_FRACTION_IN_SHOT * (right - left) * (bottom - top):
                boxes.append(box)
        return tuple(boxes)

    def _fill(self, points: np.ndarray[tuple[int, int], np.dtype[np.float64]], color: Color) -> None:
        """Fill a polygon in stage coordinates, (n, 2)."""
        pixels = (points - (self.left, self.top)) * self.zoom
        (left, top), (right, bottom) = pixels.min(0), pixels.max(0)
        if self.current:
            item = self.items[-1]
            a, b, c, d = item.extent
            item.extent = (min(a, left), min(b, top), max(c, right), max(d, bottom))
        if right < 0 or bottom < 0 or left > WIDTH or top > HEIGHT:
            return
        fixed_point = np.round(pixels * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(self.image, [fixed_point], color, cv2.LINE_AA, SUBPIXEL_BITS)
        if self.current or self.items:
            cv2.fillPoly(self.owner, [fixed_point], self.current, cv2.LINE_8, SUBPIXEL_BITS)
