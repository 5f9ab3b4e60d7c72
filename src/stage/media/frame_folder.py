"""Folders of numbered frame images at 3 per second, as TVQA ships its clips.

The number ends the file's name: 00001.jpg, 00002.jpg, ...
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stage.errors import InputError
from stage.media.limits import MOST_PIXELS, check_bytes, check_duration, check_size
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Image
from stage.wording import counted

if TYPE_CHECKING:
    import PIL.Image

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for damaged images and their EXIF data."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
NUMBER = re.compile(r"(\d+)$", re.ASCII)
EXIF_ORIENTATION = 0x0112
MOST_BYTES = 4 * MOST_PIXELS
"""Of an image file: as many as the largest picture takes without compression."""
TRANSPOSED = range(5, 9)
"""Values of the EXIF orientation whose pictures are stored with rows and columns exchanged."""


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """The frame images of one clip; none is held in memory."""

    path: Path
    images: dict[int, Path]
    """Numbered frame -> its image file."""
    width: int
    """Of the first image, in pixels. Images of another size are scaled to this one, so boxes are in these pixels."""
    height: int
    notes: tuple[str, ...] = ()
    """Messages to the user about what is irregular in the folder."""

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
                yield number, _read(path, (self.width, self.height))


def open_frames(folder: Path) -> FrameFolder:
    """Find the numbered images of a folder, and read their sizes; none is decoded.

    Raises InputError if there are none, if they are numbered from 0, if two of them have the same number, or if one
    is no image.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: can't be read ({error.strerror}); check the path") from None
    images: dict[int, Path] = {}
    unnumbered = []
    for path in files:
        if path.suffix.lower() in SUFFIXES:
            if match := NUMBER.search(path.stem):
                check_duration(
                    path,
                    int(match[1]) / FRAMES_PER_SECOND,
                    "number",
                    "number images from 1, three per second",
                )
                _add(images, int(match[1]), path, folder)
            else:
                unnumbered.append(path.name)
    if not images:
        raise InputError(f"{folder}: has no numbered images such as 00001.jpg{_advice(folder, files)}")
    sizes = {number: _size(images[number]) for number in sorted(images)}
    width, height = sizes[min(sizes)]
    notes = (*_gaps(images), *_other_sizes(images, sizes), *_unnumbered(unnumbered))
    return FrameFolder(folder, images, width, height, notes)


def _add(images: dict[int, Path], number: int, path: Path, folder: Path) -> None:
    if number == 0:
        raise InputError(
            f"{folder}: its images are numbered from 0 ({path.name}), so each would be a third of a second late; "
            "number them from 1, three per second"
        )
    if number in images:
        raise InputError(
            f"{folder}: {images[number].name} and {path.name} have the same number; move one away"
        )
    images[number] = path


def _advice(folder: Path, files: Sequence[Path]) -> str:
    """What to do about a folder that contains something else than images; empty if it contains nothing."""
    if not files:
        return ""
    return (
        f", but {files[0].name}; films in subfolders are not read: give {folder} itself as the folder of films, or "
        "move its films up"
    )


def _read(path: Path, size: tuple[int, int]) -> Image:
    import cv2

    try:
        check_bytes(path, MOST_BYTES)
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); extract the frames again") from None
    try:
        with _opened(io.BytesIO(raw.tobytes()), path) as image:
            image.verify()  # a PNG's chunks: OpenCV reserves memory for any length that one declares
        stored = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    except (*UNREADABLE, cv2.error):
        stored = None
    if stored is None:
        raise _unreadable(path)
    if stored.shape[1::-1] != size:
        stored = cv2.resize(stored, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _opened(file: Path | io.BytesIO, path: Path) -> PIL.Image.Image:
    """An image whose header alone is read. Raises what UNREADABLE lists, and InputError if it is too large."""
    import PIL.Image

    try:
        with warnings.catch_warnings(action="error", category=PIL.Image.DecompressionBombWarning):
            image = PIL.Image.open(file)
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):  # at limits of its own
        raise InputError(
            f"{path}: has more than {MOST_PIXELS // 10**6} million pixels, the most that are read; scale it down"
        ) from None
    check_size(path, *image.size)
    return image


def _size(path: Path) -> tuple[int, int]:
    """Width and height of an image when it is upright, as it will be read."""
    try:
        check_bytes(path, MOST_BYTES)
        with _opened(path, path) as image:
            width, height = image.size
            turned = image.getexif().get(EXIF_ORIENTATION) in TRANSPOSED
    except UNREADABLE:
        raise _unreadable(path) from None
    return (height, width) if turned else (width, height)


def _unreadable(path: Path) -> InputError:
    return InputError(f"{path}: is not a readable image; extract the frames again")


def _gaps(images: Mapping[int, Path]) -> Iterator[str]:
    last = max(images)
    if missing := last - len(images):
        first = next(number for number in range(1, last) if number not in images)
        yield f"no image for {counted(missing, 'frame')} of {last} (first: {first}); they look empty"


def _other_sizes(images: Mapping[int, Path], sizes: Mapping[int, tuple[int, int]]) -> Iterator[str]:
    width, height = sizes[min(sizes)]
    others = [number for number, size in sizes.items() if size != (width, height)]
    if others:
        most = Counter(sizes[number] for number in others).most_common(1)[0][0]
        yield (
            f"{counted(len(others), 'image')} of another size than the first ({width} x {height}), most of them "
            f"{most[0]} x {most[1]} (first: {images[others[0]].name}); they are scaled to the first one's size"
        )


def _unnumbered(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{counted(len(names), 'image')} without a number at the end of the name, not used (first: {names[0]})"
