"""Images as JPEG data URIs: each once per page, within a byte budget."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stage.types import Image

SETTINGS = ((640, 82), (640, 70), (480, 72), (480, 58), (400, 52), (320, 48), (240, 42))
"""Longest side in pixels and JPEG quality, best first: the first pair that meets the budget is used."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image; width and height in pixels, as encoded."""

    width: int
    height: int
    uri: str


@dataclass(slots=True)
class Gallery:
    """The images of a page, without duplicates."""

    _images: list[Image] = field(default_factory=list)
    _indices: dict[bytes, int] = field(default_factory=dict)

    def add(self, image: Image) -> int:
        """Add an image, (height, width, 3) RGB, if it is new; returns its index in the result of `encode`."""
        digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
        if digest not in self._indices:
            self._indices[digest] = len(self._images)
            self._images.append(image)
        return self._indices[digest]

    def encode(self, budget: int) -> tuple[Picture, ...]:
        """Encode all images as well as `budget` bytes of JPEG allow; with the smallest setting if none fits."""
        encoded: list[tuple[Image, bytes]] = []
        for longest_side, quality in SETTINGS:
            encoded = [_jpeg(image, longest_side, quality) for image in self._images]
            if sum(len(data) for _, data in encoded) <= budget:
                break
        return tuple(_picture(image, data) for image, data in encoded)


def _jpeg(image: Image, longest_side: int, quality: int) -> tuple[Image, bytes]:
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = (
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) if scale < 1 else image
    )
    options: Sequence[int] = (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    return small, data.tobytes()


def _picture(image: Image, data: bytes) -> Picture:
    height, width = image.shape[:2]
    return Picture(width, height, "data:image/jpeg;base64," + base64.b64encode(data).decode())
