"""Orientation: frames turned and mirrored as the film's display matrix says.

The matrix maps a stored pixel (x, y) to (a x + c y, b x + d y) on the screen. Phones write it for films that were
taken upright, or with the camera that faces the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

from stage.types import Image

ENTRIES = 9
"""32-bit integers of a display matrix: a, b, u, c, d, v, x, y, w."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to show a picture: its sides exchanged first, then mirrored."""

    transposed: bool = False
    """Whether rows become columns."""
    mirrored: bool = False
    """Left and right exchanged, after transposing."""
    flipped: bool = False
    """Top and bottom exchanged, after transposing."""

    def applied(self, pixels: Image) -> Image:
        """A stored (height, width, 3) image as it is to be shown."""
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self.mirrored:
            pixels = pixels[:, ::-1]
        if self.flipped:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def orientation(frame: VideoFrame) -> Orientation:
    """How a frame is to be shown. Angles between quarter turns count as the nearest one."""
    raw = _display_matrix(frame)
    if raw is None:
        return Orientation()
    a, b, _, c, d, *_ = (int(entry) for entry in np.frombuffer(raw, np.int32, ENTRIES))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, mirrored=c < 0, flipped=b < 0)
    return Orientation(mirrored=a < 0, flipped=d < 0)


def upright(frame: VideoFrame, size: tuple[int, int] | None = None) -> Image:
    """A frame as a (height, width, 3) RGB image in its orientation, scaled to (width, height)."""
    shown = orientation(frame)
    width, height = size or (None, None)
    if shown.transposed:
        width, height = height, width
    stored = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return shown.applied(stored.astype(np.uint8, copy=False))


def _display_matrix(frame: VideoFrame) -> bytes | None:
    try:
        entries = list(cast(Iterable[SideData], frame.side_data))
    except ValueError:  # PyAV knows no name for one of the entries, and lists none then
        return _turned_only(frame.rotation)
    found = (bytes(entry) for entry in entries if entry.type is Type.DISPLAYMATRIX)
    return next(found, None)


def _turned_only(degrees: int) -> bytes | None:
    """The matrix of a rotation counterclockwise by the nearest quarter turns."""
    a, b = ((1, 0), (0, -1), (-1, 0), (0, 1))[round(degrees / 90) % 4]
    return np.array([a, b, 0, -b, a, 0, 0, 0, 1], np.int32).tobytes()
