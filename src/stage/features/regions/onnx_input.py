"""How a picture becomes the input of an ONNX detector: size, layout, values, and the way back for its boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.types import Array, Image

USUAL_SIDE = 640
"""Pixels of either side of the input, where neither the file nor its settings say how large it is."""
LONGEST_SIDE = 4096
TYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(float16)": np.float16,
}  # fmt: skip
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY = 114
"""The value around pictures that keep their shape, of YOLOX and Ultralytics."""
PREPROCESSOR = "preprocessor_config.json"
Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to a picture before a detector sees it, as in its training."""

    fit: Literal["stretch", "corner", "centre"] = "stretch"
    """Stretched to the input's size, or scaled and padded: the picture in the left upper corner, or the middle."""
    bgr: bool = False
    """Blue first."""
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    smooth: bool = True
    """Whether a picture that shrinks is averaged (as PIL and torchvision do), or only interpolated."""

    @property
    def by_imagenet(self) -> Preparation:
        """With the mean and deviation of ImageNet's pictures."""
        return replace(self, mean=IMAGENET_MEAN, deviation=IMAGENET_DEVIATION)


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The input of a detector that takes the picture."""

    name: str
    dtype: type[np.generic]
    channels_last: bool
    height: int | None
    """In pixels; None if the detector takes any."""
    width: int | None

    @classmethod
    def among(cls, inputs: Mapping[str, tuple[str, list[Any]]], where: str) -> ImageInput:
        """The one that takes a picture. inputs: name -> type and shape, as onnxruntime gives them.

        Raises InputError if there are none or several, or it takes several pictures, or not three colours.
        """
        pictures = {name: value for name, value in inputs.items() if len(value[1]) == 4 and value[0] in TYPES}
        if len(pictures) != 1:
            found = ", ".join(f"{name}: {kind} {shape}" for name, (kind, shape) in inputs.items())
            raise InputError(
                f"{where}: has {len(pictures) or 'no'} inputs for a picture (1, 3, height, width) or (1, height, "
                f"width, 3) of uint8, float16 or float32, but: {found}; export the detector alone"
            )
        [(name, (kind, shape))] = pictures.items()
        batch, *sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
        first, last = sides[0], sides[2]
        if batch not in (None, 1) or (3 not in (first, last) and (first or last)):
            raise InputError(
                f"{where}: its input {name} has the shape {shape}, and pictures are given one at a time in three "
                "colours, (1, 3, height, width) or (1, height, width, 3); export it with a batch of 1"
            )
        channels_last = first != 3 and (last == 3 or kind == "tensor(uint8)")
        height, width = sides[:2] if channels_last else sides[1:]
        if max(height or 0, width or 0) > LONGEST_SIDE:
            raise InputError(
                f"{where}: takes pictures of {width} x {height} pixels, and at most {LONGEST_SIDE} are made"
            )
        return cls(name, TYPES[kind], channels_last, height, width)

    def tensor(self, canvas: npt.NDArray[np.uint8], how: Preparation) -> npt.NDArray[Any]:
        """The input for a picture (height, width, 3) that has been fitted already."""
        pixels: npt.NDArray[Any] = canvas[..., ::-1] if how.bgr else canvas
        if self.dtype != np.uint8:
            scaled = pixels.astype(np.float32) * np.float32(how.scale)
            pixels = (scaled - np.array(how.mean, np.float32)) / np.array(how.deviation, np.float32)
        ordered = pixels if self.channels_last else pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(ordered[None], dtype=self.dtype)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture in the size of the input, and where it lies there."""

    canvas: Image
    left: int
    top: int
    width: int
    """Of the picture on the canvas, in pixels."""
    height: int
    original: Size

    @classmethod
    def to(cls, image: Image, size: Size, how: Preparation) -> Fitted:
        """The picture in an input of `size` pixels."""
        height, width = size
        if how.fit == "stretch":
            return cls(_resized(image, width, height, how), 0, 0, width, height, image.shape[:2])
        scale = min(width / image.shape[1], height / image.shape[0])
        inner_width, inner_height = (max(1, int(side * scale)) for side in (image.shape[1], image.shape[0]))
        centred = how.fit == "centre"
        left, top = ((width - inner_width) // 2, (height - inner_height) // 2) if centred else (0, 0)
        canvas = np.full((height, width, 3), GREY, np.uint8)
        canvas[top : top + inner_height, left : left + inner_width] = _resized(
            image, inner_width, inner_height, how
        )
        return cls(canvas, left, top, inner_width, inner_height, image.shape[:2])

    def in_picture(self, boxes: Array) -> Array:
        """Boxes (N, 4) in pixels of the input -> in pixels of the picture. They may reach beyond it."""
        height, width = self.original
        across, down = width / self.width, height / self.height
        moved = boxes - np.array([self.left, self.top, self.left, self.top], np.float32)
        return moved * np.array([across, down, across, down], np.float32)


def _resized(image: Image, width: int, height: int, how: Preparation) -> Image:
    if image.shape[:2] == (height, width):
        return image
    shrinks = width < image.shape[1] or height < image.shape[0]
    kind = cv2.INTER_AREA if shrinks and how.smooth else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=kind).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the preprocessor_config.json of transformers beside an export says of pictures."""

    how: Preparation
    size: Size | None
    """Both sides, if they are given."""
    shortest: int | None
    """The shorter side of a picture that keeps its shape, if that is given instead."""
    longest: int

    def size_for(self, image: Image) -> Size | None:
        """The input for a picture, where the detector takes any size."""
        if self.size or not self.shortest:
            return self.size
        height, width = image.shape[:2]
        scale = min(self.shortest / min(height, width), self.longest / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    @classmethod
    def beside(cls, model: Path) -> Settings | None:
        """Those in the folder of an ONNX file or, for a folder called "onnx", in that above; None if there are none.

        Raises InputError if they can't be used.
        """
        folders = [model.parent, *([model.parent.parent] if model.parent.name == "onnx" else [])]
        for path in (folder / PREPROCESSOR for folder in folders):
            if path.is_file() and path.stat().st_size < 1 << 20:
                try:
                    return cls._of(json.loads(path.read_bytes()))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                    raise InputError(
                        f"{path}: describes no preparation of pictures ({error}); correct it"
                    ) from None
        return None

    @classmethod
    def _of(cls, raw: Any) -> Settings:
        how = Preparation(
            scale=float(raw.get("rescale_factor", 1 / 255)) if raw.get("do_rescale", True) else 1.0
        )
        # What a file leaves out is as in transformers' processor of its kind: only RT-DETR's doesn't normalise.
        if raw.get("do_normalize", not str(raw.get("image_processor_type", "")).startswith("RTDetr")):
            mean, deviation = (
                tuple(float(value) for value in raw.get(key, usual))
                for key, usual in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_DEVIATION))
            )
            if (
                len(mean) != 3
                or len(deviation) != 3
                or not np.isfinite((*mean, *deviation)).all()
                or 0 in deviation
            ):
                raise ValueError("image_mean and image_std are not three numbers each")
            how = replace(how, mean=mean, deviation=deviation)
        if not np.isfinite(how.scale):
            raise ValueError("rescale_factor is not finite")
        size = raw.get("size") or {}
        sides = [_side(size[key]) for key in ("height", "width") if key in size]
        both = (sides[0], sides[1]) if len(sides) == 2 else None
        shortest = _side(size["shortest_edge"]) if "shortest_edge" in size else None
        return cls(how, both, shortest, _side(size.get("longest_edge", 1333)))


def _side(value: object) -> int:
    if not isinstance(value, int) or not 0 < value <= LONGEST_SIDE:
        raise ValueError(f"a side of {value!r} pixels")
    return value
