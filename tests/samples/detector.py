"""A region detector for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stage.types import Image, Regions


class Shades:
    """A region detector for tests: one region per image, whose features are its mean shade and a 1."""

    name, dim = "shades@1", 2

    def __init__(self) -> None:
        self.seen = 0
        """Number of images so far."""

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        self.seen += len(images)
        one = np.ones(1, np.float32)
        return [
            Regions(np.zeros((1, 4), np.float32), one, np.array([[image.mean(), 1]], np.float32), ("it",))
            for image in images
        ]
