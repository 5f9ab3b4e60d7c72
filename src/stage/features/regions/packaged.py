"""The packaged region detector: heat maps, non-maximum suppression, features.

It takes the place of the paper's Faster R-CNN trained on Visual Genome with attributes. The first stage predicts a
heat map of object centres per class and a box per cell, in one pass over the frame. The second stage embeds a grid of
cells in and around each box, and predicts class and attributes (whose look, who holds it, what is held and worn,
posture, mood, place) from the embedding. A region's feature is the embedding, the attributes and the geometry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from stage.errors import InputError, first_line
from stage.features.names import PACKAGED_DETECTOR
from stage.features.pretrained import LOADING_ERRORS
from stage.features.protocols import REGIONS_PER_FRAME
from stage.geometry import tensor_box_iou
from stage.runtime.hardware import bfloat16_is_fast
from stage.sitcom.world import CAST, FURNITURE, HELD, PLACES, WORN
from stage.types import Image, Regions

ASSETS = Path(__file__).parents[2] / "assets" / "detector"
WEIGHTS = "weights.safetensors"
INPUT_WIDTH, INPUT_HEIGHT = 640, 360
STRIDE = 8
"""Input pixels per side of a cell."""
CLASSES = ("person", *HELD, *WORN, *(kind for kinds in FURNITURE.values() for kind in kinds))
CONTENT_DIM, EMBEDDING_DIM = 64, 128
GRID = (14, 8)
"""Rows and columns of the grid of cells that represents a region."""
MARGIN, MARGIN_PIXELS = 0.1, 20.0
"""Context around a box that belongs to its region, on each side: a fraction of the box plus input pixels."""
MIN_SCORE = 0.05
SAME_CLASS_IOU, ANY_CLASS_IOU = 0.5, 0.8
"""Non-maximum suppression: boxes with a higher IoU with a better box, of the same or any class, are dropped."""
CANDIDATES = 80
"""Peaks of the heat maps that are considered."""
MIN_SIDE = 4.0
"""Input pixels."""

ATTRIBUTES: dict[str, int] = {
    "kind": 1 + len(CLASSES),
    "look": 1 + len(CAST),
    "holder": 1 + len(CAST),
    "holding": 1 + len(HELD),
    "wearing": 1 + len(WORN),
    "posture": 1 + 4,
    "mood": 1 + 5,
    "place": 1 + len(PLACES),
}
"""Predicted attribute -> its number of classes; class 0 is always "none of them"."""
GEOMETRY_DIM = 5
LAYOUT = "embedding, answers with look and holder as one, geometry"
"""The layout of a feature, hashed into the detector's name, since a model can't read features of another one."""
FEATURE_DIM = EMBEDDING_DIM + sum(ATTRIBUTES.values()) - ATTRIBUTES["holder"] + GEOMETRY_DIM


@dataclass(frozen=True, slots=True)
class CellMaps:
    """The first stage's predictions for each cell of 8 x 8 pixels. H, W: cells."""

    heat: Tensor
    """(B, classes, H, W) logits that the cell is the centre of an object"""
    sides: Tensor
    """(B, 4, H, W) distances in cells from the cell's centre to the box's left, top, right and bottom side"""
    content: Tensor
    """(B, CONTENT_DIM, H, W) the feature map that the second stage reads"""


class Block(nn.Module):
    """A residual block of two 3 x 3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class DetectorNet(nn.Module):
    """A feature pyramid down to 1/32 and back up to 1/8, with the heads of both stages. About 1.4 M weights."""

    def __init__(self) -> None:
        super().__init__()
        self.eighth = nn.Sequential(conv(3, 16, 2), conv(16, 32, 2), conv(32, 64, 2), Block(64))
        self.sixteenth = nn.Sequential(conv(64, 96, 2), Block(96))
        self.thirty_second = nn.Sequential(conv(96, 96, 2), Block(96))
        self.from_sixteenth, self.from_eighth = conv(96, 96, kernel=1), conv(64, 96, kernel=1)
        self.smooth = conv(96, 96)
        self.cells = conv(96, 128)
        self.heat = nn.Conv2d(128, len(CLASSES), 1)
        self.sides = nn.Conv2d(128, 4, 1)
        self.content = conv(64 + 128, CONTENT_DIM, kernel=1)
        self.grid = nn.Sequential(conv(CONTENT_DIM, 64), conv(64, 64, 2))
        rows, columns = (-(-side // 2) for side in GRID)
        self.embedding = nn.Sequential(nn.Flatten(), nn.Linear(64 * rows * columns, EMBEDDING_DIM), nn.ReLU())
        self.attributes = nn.ModuleDict(
            {name: nn.Linear(EMBEDDING_DIM, size) for name, size in ATTRIBUTES.items()}
        )
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, -4.0)  # centres are rare

    def forward(self, images: Tensor) -> CellMaps:
        """images: (B, 3, 360, 640) in [0, 1]"""
        eighth = self.eighth(images * 2 - 1)
        sixteenth = self.sixteenth(eighth)
        wide = _upsample(self.thirty_second(sixteenth), sixteenth)
        middle = self.from_sixteenth(sixteenth) + wide
        cells = self.cells(self.smooth(self.from_eighth(eighth) + _upsample(middle, eighth)))
        content = self.content(torch.cat([eighth, cells], 1))
        return CellMaps(self.heat(cells), F.softplus(self.sides(cells)) * 4, content)

    def describe(self, content: Tensor, image: Tensor, boxes: Tensor) -> Description:
        """The second stage. image: (n,) index in the batch, ascending; boxes: (n, 4) in input pixels."""
        embedding = self.embedding(self.grid(_cells_in(content, image, boxes)))
        return Description(embedding, {name: head(embedding) for name, head in self.attributes.items()})


@dataclass(frozen=True, slots=True)
class Description:
    """The second stage's predictions for n regions."""

    embedding: Tensor
    """(n, EMBEDDING_DIM)"""
    logits: dict[str, Tensor]
    """Name in ATTRIBUTES -> (n, classes)."""


def _cells_in(content: Tensor, image: Tensor, boxes: Tensor) -> Tensor:
    """Sample a grid over each box and its margin, bilinearly: (n, CONTENT_DIM, *GRID). Arguments as in `describe`."""
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    half = side * (0.5 + MARGIN) + MARGIN_PIXELS
    height, width = content.shape[-2:]
    scale = 2.0 / torch.tensor([width * STRIDE, height * STRIDE], device=boxes.device)
    y, x = ((torch.arange(n, device=boxes.device) + 0.5) / n * 2 - 1 for n in GRID)
    steps = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)
    points = (middle[:, None, None] + steps * half[:, None, None]) * scale - 1
    return torch.cat(
        [
            F.grid_sample(content[i, None].expand(len(own), -1, -1, -1), own, align_corners=False)
            for i in range(len(content))
            if len(own := points[image == i])
        ]
    )


def _upsample(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class StageDetector:
    """The trained network as a `RegionDetector`. The last region of each frame is the whole frame."""

    def __init__(self, net: DetectorNet, version: str) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.version = version

    @classmethod
    def packaged(cls) -> StageDetector:
        """The detector whose weights come with the package."""
        return cls.load(ASSETS)

    @classmethod
    def load(cls, folder: Path) -> StageDetector:
        """Load the weights in a folder. Raises InputError if there are none, or none of this version."""
        path = folder / WEIGHTS
        if not path.is_file():
            raise InputError(
                f"{path}: the detector's weights are missing; train it with `stage detector {folder}`"
            )
        net = DetectorNet()
        try:
            weights = {name: value.float() for name, value in load_file(path).items()}
            counters = {
                name: value for name, value in net.state_dict().items() if not value.is_floating_point()
            }
            net.load_state_dict(counters | weights)
        except LOADING_ERRORS as error:
            raise InputError(f"{path}: is not a detector of this version ({first_line(error)})") from None
        return cls(net, hashlib.sha256(path.read_bytes() + LAYOUT.encode()).hexdigest()[:12])

    @cached_property
    def name(self) -> str:
        return f"{PACKAGED_DETECTOR}@{self.version}"

    @property
    def dim(self) -> int:
        return FEATURE_DIM

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The 19 best regions of each image and the image as a whole; images may differ in size."""
        scaled = [ScaledImage.fit(image) for image in images]
        batch = torch.from_numpy(np.stack([s.image for s in scaled])).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast()):
            maps = self.net(batch.float().div(255).contiguous(memory_format=torch.channels_last))
        maps = CellMaps(maps.heat.float(), maps.sides.float(), maps.content.float())
        return [self._regions(maps, i, s) for i, s in enumerate(scaled)]

    def _regions(self, maps: CellMaps, index: int, scaled: ScaledImage) -> Regions:
        boxes, scores, classes = detect_boxes(maps, index, scaled)
        size = torch.tensor([scaled.width, scaled.height, scaled.width, scaled.height]) * scaled.scale
        boxes = torch.cat([boxes, torch.cat([torch.zeros(2), size[:2]])[None]])
        description = self.net.describe(maps.content[index, None], torch.zeros(len(boxes)), boxes)
        return Regions(
            (boxes / scaled.scale).numpy().astype(np.float32),
            torch.cat([scores, torch.zeros(1)]).numpy(),
            region_features(description, boxes / size).numpy(),
            (*(CLASSES[c] for c in classes.tolist()), "frame"),
        )


@dataclass(frozen=True, slots=True)
class ScaledImage:
    """An image scaled to fit the network's input, padded on the right and at the bottom."""

    image: Image
    """(INPUT_HEIGHT, INPUT_WIDTH, 3)"""
    scale: float
    """Input pixels per pixel of the original."""
    width: int
    """Of the original, in pixels."""
    height: int

    @classmethod
    def fit(cls, image: Image) -> ScaledImage:
        height, width = image.shape[:2]
        scale = min(INPUT_WIDTH / width, INPUT_HEIGHT / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        resized = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        padded = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
        padded[: size[1], : size[0]] = resized
        return cls(padded, scale, width, height)


def detect_boxes(maps: CellMaps, index: int, scaled: ScaledImage) -> tuple[Tensor, Tensor, Tensor]:
    """Peaks of the heat maps after non-maximum suppression: boxes (n, 4) in input pixels, scores and classes (n,)."""
    heat = maps.heat[index].sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
    scores, flat = peaks.flatten().topk(CANDIDATES)
    classes, cells = flat // heat[0].numel(), flat % heat[0].numel()
    boxes = decode_boxes(maps.sides[index])[cells]
    limit = torch.tensor([scaled.width, scaled.height, scaled.width, scaled.height]) * scaled.scale
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    large = ((boxes[:, 2:] - boxes[:, :2]) >= MIN_SIDE).all(1) & (scores >= MIN_SCORE)
    boxes, scores, classes = boxes[large], scores[large], classes[large]
    keep = non_maximum_suppression(boxes, classes, REGIONS_PER_FRAME - 1)
    return boxes[keep], scores[keep], classes[keep]


def region_features(description: Description, geometry: Tensor) -> Tensor:
    """(n, FEATURE_DIM): the embedding, the attributes' probabilities, the box and the root of its area.

    geometry: (n, 4) the box as fractions of the frame. The probabilities of `look` and `holder` are added up: both
    say which character a region belongs to.
    """
    area = (geometry[:, 2:] - geometry[:, :2]).prod(-1, keepdim=True).sqrt()
    probabilities = {name: logits.softmax(-1) for name, logits in description.logits.items()}
    probabilities["look"] = probabilities["look"] + probabilities.pop("holder")
    return torch.cat([F.normalize(description.embedding, dim=1), *probabilities.values(), geometry, area], 1)


def decode_boxes(sides: Tensor) -> Tensor:
    """(4, H, W) distances in cells, as in CellMaps -> (H * W, 4) corners in input pixels."""
    _, height, width = sides.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    left, top, right, bottom = sides
    middle_x, middle_y = x + 0.5, y + 0.5
    corners = torch.stack([middle_x - left, middle_y - top, middle_x + right, middle_y + bottom], -1)
    return corners.flatten(0, 1) * STRIDE


def non_maximum_suppression(boxes: Tensor, classes: Tensor, count: int) -> Tensor:
    """Positions of the `count` best boxes that no better box covers. boxes: (n, 4), best first; classes: (n,)"""
    iou = tensor_box_iou(boxes, boxes)
    overlapping = (iou > ANY_CLASS_IOU) | ((iou > SAME_CLASS_IOU) & (classes[:, None] == classes))
    covered = torch.zeros(len(boxes), dtype=torch.bool)
    keep = []
    for i in range(len(boxes)):
        if not covered[i]:
            keep.append(i)
            covered |= overlapping[i]
    return torch.tensor(keep[:count], dtype=torch.long)
