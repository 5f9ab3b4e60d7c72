"""A small detector of our own, for those who can't download one.

It stands where the paper has a Faster R-CNN trained on Visual Genome with attributes, and has its two stages: one
pass over the frame gives a heat map of centres for each kind of thing and a box for each cell; then a grid of cells
in and around each box becomes the region's embedding, from which kind and attributes (whose look, who holds it, what
is held and worn, posture, mood, place) are told. A region's feature is the embedding, what was told, and where it is.
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
from stage.features.hub import CANT_BE_LOADED
from stage.features.names import PACKAGED_DETECTOR
from stage.features.protocols import REGIONS_A_FRAME
from stage.runtime.hardware import bfloat16_is_fast
from stage.sitcom.world import CAST, FURNITURE, HELD, PLACES, WORN
from stage.types import Image, Regions

ASSETS = Path(__file__).parents[2] / "assets" / "detector"
WEIGHTS = "weights.safetensors"
INPUT_WIDTH, INPUT_HEIGHT = 640, 360
STRIDE = 8
KINDS = ("person", *HELD, *WORN, *(kind for kinds in FURNITURE.values() for kind in kinds))
CONTENT, EMBEDDING = 64, 128
GRID = (14, 8)
"""Rows and columns of the cells that describe a region."""
MARGIN, MARGIN_PIXELS = 0.1, 20.0
"""How much of what surrounds a box describes it, too: a share of its side and input pixels, on each side."""
LEAST_SCORE = 0.05
SAME_KIND_OVERLAP, ANY_KIND_OVERLAP = 0.5, 0.8
CANDIDATES = 80
LEAST_SIDE = 4.0

ATTRIBUTES: dict[str, int] = {
    "kind": 1 + len(KINDS),
    "look": 1 + len(CAST),
    "holder": 1 + len(CAST),
    "holding": 1 + len(HELD),
    "wearing": 1 + len(WORN),
    "posture": 1 + 4,
    "mood": 1 + 5,
    "place": 1 + len(PLACES),
}
"""What is told of a region, and how many answers there are; the first answer is always "none of them"."""
GEOMETRY = 5
LAYOUT = "embedding, answers with look and holder as one, geometry"
"""What a feature consists of: part of the detector's name, since a model can't read any other."""
FEATURES = EMBEDDING + sum(ATTRIBUTES.values()) - ATTRIBUTES["holder"] + GEOMETRY


@dataclass(frozen=True, slots=True)
class CellMaps:
    """What the network says of each cell of 8 x 8 pixels. H, W: cells."""

    heat: Tensor
    """(B, kinds, H, W) logits of a centre being there"""
    sides: Tensor
    """(B, 4, H, W) cells from the cell's middle to the left, top, right and bottom side"""
    content: Tensor
    """(B, CONTENT, H, W) what the second stage looks at"""


class Block(nn.Module):
    """Two 3 x 3 convolutions around a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class DetectorNet(nn.Module):
    """A pyramid down to 1/32 and back to 1/8, and the heads of the two stages. About 1.4 M weights."""

    def __init__(self) -> None:
        super().__init__()
        self.eighth = nn.Sequential(conv(3, 16, 2), conv(16, 32, 2), conv(32, 64, 2), Block(64))
        self.sixteenth = nn.Sequential(conv(64, 96, 2), Block(96))
        self.thirty_second = nn.Sequential(conv(96, 96, 2), Block(96))
        self.from_sixteenth, self.from_eighth = conv(96, 96, kernel=1), conv(64, 96, kernel=1)
        self.smooth = conv(96, 96)
        self.cells = conv(96, 128)
        self.heat = nn.Conv2d(128, len(KINDS), 1)
        self.sides = nn.Conv2d(128, 4, 1)
        self.content = conv(64 + 128, CONTENT, kernel=1)
        self.grid = nn.Sequential(conv(CONTENT, 64), conv(64, 64, 2))
        rows, columns = (-(-side // 2) for side in GRID)
        self.embedding = nn.Sequential(nn.Flatten(), nn.Linear(64 * rows * columns, EMBEDDING), nn.ReLU())
        self.attributes = nn.ModuleDict(
            {name: nn.Linear(EMBEDDING, size) for name, size in ATTRIBUTES.items()}
        )
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, -4.0)  # centres are rare

    def forward(self, images: Tensor) -> CellMaps:
        """images: (B, 3, 360, 640) in [0, 1]"""
        eighth = self.eighth(images * 2 - 1)
        sixteenth = self.sixteenth(eighth)
        wide = _to(self.thirty_second(sixteenth), sixteenth)
        middle = self.from_sixteenth(sixteenth) + wide
        cells = self.cells(self.smooth(self.from_eighth(eighth) + _to(middle, eighth)))
        content = self.content(torch.cat([eighth, cells], 1))
        return CellMaps(self.heat(cells), F.softplus(self.sides(cells)) * 4, content)

    def describe(self, content: Tensor, image: Tensor, boxes: Tensor) -> Description:
        """The second stage. image: (n,) which of the batch, ascending; boxes: (n, 4) in input pixels."""
        embedding = self.embedding(self.grid(_cells_in(content, image, boxes)))
        return Description(embedding, {name: head(embedding) for name, head in self.attributes.items()})


@dataclass(frozen=True, slots=True)
class Description:
    """What the second stage says of n regions."""

    embedding: Tensor
    """(n, EMBEDDING)"""
    logits: dict[str, Tensor]
    """For each of ATTRIBUTES, (n, answers)."""


def _cells_in(content: Tensor, image: Tensor, boxes: Tensor) -> Tensor:
    """A grid of cells over each box and its margin, read between cells linearly: (n, CONTENT, *GRID)"""
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    half = side * (0.5 + MARGIN) + MARGIN_PIXELS
    height, width = content.shape[-2:]
    scale = 2.0 / torch.tensor([width * STRIDE, height * STRIDE], device=boxes.device)
    y, x = ((torch.arange(n, device=boxes.device) + 0.5) / n * 2 - 1 for n in GRID)
    steps = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)
    points = (middle[:, None, None] + steps * half[:, None, None]) * scale - 1
    return torch.cat(
        [
            F.grid_sample(content[i, None].expand(len(mine), -1, -1, -1), mine, align_corners=False)
            for i in range(len(content))
            if len(mine := points[image == i])
        ]
    )


def _to(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class StageDetector:
    """The trained network as a `RegionDetector`. The last region of every frame is the whole frame."""

    def __init__(self, net: DetectorNet, version: str) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.version = version

    @classmethod
    def packaged(cls) -> StageDetector:
        return cls.load(ASSETS)

    @classmethod
    def load(cls, folder: Path) -> StageDetector:
        """Raises InputError if the folder has no weights of this version."""
        path = folder / WEIGHTS
        if not path.is_file():
            raise InputError(
                f"{path}: the detector's weights are missing; make them with `stage detector {folder}`"
            )
        net = DetectorNet()
        try:
            weights = {name: value.float() for name, value in load_file(path).items()}
            counters = {
                name: value for name, value in net.state_dict().items() if not value.is_floating_point()
            }
            net.load_state_dict(counters | weights)
        except CANT_BE_LOADED as error:
            raise InputError(f"{path}: is not a detector of this version ({first_line(error)})") from None
        return cls(net, hashlib.sha256(path.read_bytes() + LAYOUT.encode()).hexdigest()[:12])

    @cached_property
    def name(self) -> str:
        return f"{PACKAGED_DETECTOR}@{self.version}"

    @property
    def dim(self) -> int:
        return FEATURES

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The 19 best regions of each image and the image itself; sizes of images may differ."""
        fitted = [Fitted.fit(image) for image in images]
        batch = torch.from_numpy(np.stack([f.picture for f in fitted])).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast()):
            maps = self.net(batch.float().div(255).contiguous(memory_format=torch.channels_last))
        maps = CellMaps(maps.heat.float(), maps.sides.float(), maps.content.float())
        return [self._regions(maps, i, f) for i, f in enumerate(fitted)]

    def _regions(self, maps: CellMaps, index: int, fitted: Fitted) -> Regions:
        boxes, scores, kinds = find_boxes(maps, index, fitted)
        size = torch.tensor([fitted.width, fitted.height, fitted.width, fitted.height]) * fitted.scale
        boxes = torch.cat([boxes, torch.cat([torch.zeros(2), size[:2]])[None]])
        told = self.net.describe(maps.content[index, None], torch.zeros(len(boxes)), boxes)
        return Regions(
            (boxes / fitted.scale).numpy().astype(np.float32),
            torch.cat([scores, torch.zeros(1)]).numpy(),
            feature(told, boxes / size).numpy(),
            (*(KINDS[kind] for kind in kinds.tolist()), "frame"),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """An image scaled into the network's input, in its upper left corner."""

    picture: Image
    scale: float
    """Input pixels for a pixel of the image."""
    width: int
    height: int

    @classmethod
    def fit(cls, image: Image) -> Fitted:
        height, width = image.shape[:2]
        scale = min(INPUT_WIDTH / width, INPUT_HEIGHT / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        scaled = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        picture = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
        picture[: size[1], : size[0]] = scaled
        return cls(picture, scale, width, height)


def find_boxes(maps: CellMaps, index: int, fitted: Fitted) -> tuple[Tensor, Tensor, Tensor]:
    """Peaks of the heat maps, the best of each place and kind: boxes (n, 4) in input pixels, scores, kinds (n,)."""
    heat = maps.heat[index].sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
    scores, flat = peaks.flatten().topk(CANDIDATES)
    kinds, cells = flat // heat[0].numel(), flat % heat[0].numel()
    boxes = cell_boxes(maps.sides[index])[cells]
    limit = torch.tensor([fitted.width, fitted.height, fitted.width, fitted.height]) * fitted.scale
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    large = ((boxes[:, 2:] - boxes[:, :2]) >= LEAST_SIDE).all(1) & (scores >= LEAST_SCORE)
    boxes, scores, kinds = boxes[large], scores[large], kinds[large]
    keep = suppress(boxes, kinds, REGIONS_A_FRAME - 1)
    return boxes[keep], scores[keep], kinds[keep]


def feature(told: Description, geometry: Tensor) -> Tensor:
    """(n, FEATURES): the embedding, the probability of every answer, and the box as shares of the frame's sides.

    Whose look a person has and who holds a thing is one and the same answer: whose region it is.
    """
    area = (geometry[:, 2:] - geometry[:, :2]).prod(-1, keepdim=True).sqrt()
    answers = {name: logits.softmax(-1) for name, logits in told.logits.items()}
    answers["look"] = answers["look"] + answers.pop("holder")
    return torch.cat([F.normalize(told.embedding, dim=1), *answers.values(), geometry, area], 1)


def cell_boxes(sides: Tensor) -> Tensor:
    """(4, H, W) distances in cells -> (H * W, 4) corners in input pixels."""
    _, height, width = sides.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    left, top, right, bottom = sides
    middle_x, middle_y = x + 0.5, y + 0.5
    corners = torch.stack([middle_x - left, middle_y - top, middle_x + right, middle_y + bottom], -1)
    return corners.flatten(0, 1) * STRIDE


def suppress(boxes: Tensor, kinds: Tensor, count: int) -> Tensor:
    """Positions of the best boxes (sorted by score) that no better one covers."""
    iou = box_iou(boxes, boxes)
    rivals = (iou > ANY_KIND_OVERLAP) | ((iou > SAME_KIND_OVERLAP) & (kinds[:, None] == kinds))
    covered = torch.zeros(len(boxes), dtype=torch.bool)
    keep = []
    for i in range(len(boxes)):
        if not covered[i]:
            keep.append(i)
            covered |= rivals[i]
    return torch.tensor(keep[:count], dtype=torch.long)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """(N, 4), (M, 4) corners -> (N, M)"""
    sides = (torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b)]
    return shared / (areas[0][:, None] + areas[1] - shared).clamp(min=1e-6)
