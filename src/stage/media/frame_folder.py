"""Folders of numbered frame images at 3 per second, as TVQA ships its clips.

The number ends the file's name: 00001.jpg, 00002.jpg, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stage.errors import InputError
from stage.types import MODEL_STRIDE, Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """The frame images of one clip; none is held in memory."""

    path: Path
    images: dict[int, Path]
    """Numbered frame -> its image file."""

    @property
    def frame_count(self) -> int:
        """The highest number of a frame."""
        return max(self.images)

    def model_frames(self) -> tuple[int, ...]:
        """The numbered frames that the model reads: 1, 7, 13, ..."""
        return tuple(range(1, self.frame_count + 1, MODEL_STRIDE))

    def frames(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Numbered frames in increasing order as (number, image) pairs; those without an image are omitted.

        Raises InputError if an image can't be read.
        """
        for number in sorted(set(numbers)):
            if path := self.images.get(number):
                raw = np.fromfile(path, np.uint8)
                stored = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
                if stored is None:
                    raise InputError(f"{path}: is not a readable image; extract the frames again")
                yield number, cv2.cvtColor(stored, cv2.COLOR_BGR2RGB).astype(np.uint8)


def open_frames(folder: Path) -> FrameFolder:
    """Find the numbered images of a folder. Raises InputError if there are none."""
    images = {}
    for path in sorted(folder.iterdir()):
        number = re.search(r"(\d+)$", path.stem)
        if path.suffix.lower() in SUFFIXES and number and int(number[1]) > 0:
            images[int(number[1])] = path
    if not images:
        raise InputError(f"{folder}: has no numbered images such as 00001.jpg")
    return FrameFolder(folder, images)
