"""Train the packaged region detector on drawn scenes of the sitcom.

It takes the place of the paper's Faster R-CNN, which was trained on Visual Genome.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stage.errors import InputError
from stage.features.regions.packaged import (
    ATTRIBUTES,
    CLASSES,
    INPUT_HEIGHT,
    INPUT_WIDTH,
    STRIDE,
    WEIGHTS,
    CellMaps,
    DetectorNet,
    StageDetector,
    decode_boxes,
)
from stage.geometry import tensor_box_iou
from stage.io import check_writable, starts_with, write_bytes, write_text
from stage.runtime.allocator import keep_freed_memory
from stage.runtime.hardware import bfloat16_is_fast
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import CAST, HELD, PLACES, WORN, Mood, Posture, Setting
from stage.types import Box, Image, Progress

CARD, HEADING = "card.md", "# The packaged detector"
SPLIT = "detector"
"""Training images come from episodes of a split of their own."""
BATCH = 8
LEARNING_RATE = 2e-3
JITTER = 0.04
"""Standard deviation of the sides of the second stage's training boxes, as a fraction of the box."""
NONE_WEIGHT = 0.3
"""Loss weight of the class "none", which is the most frequent: most things have no mood."""
CENTRE_REACH = 1
"""Radius, in cells, around a box's centre within which cells learn the box."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with the n things in it."""

    image: Image
    boxes: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """(n, 4) pixels"""
    jittered: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """(n, 4) the boxes with noise, as a detector might predict them"""
    attributes: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """(n, attributes) class indices, in the order of ATTRIBUTES"""
    place: int
    """Class index of the scene's place, the attribute of the image as a whole."""


@lru_cache(maxsize=256)
def _play(seed: int) -> Screenplay:
    return write_screenplay(seed)


class DrawnImages(Dataset[LabelledImage]):
    """Images at random times of random episodes, augmented with colour changes and JPEG compression."""

    def __init__(self, count: int, seed: int, split: str = SPLIT, augment: bool = True) -> None:
        self.count, self.seed, self.split, self.augment = count, seed, split, augment

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> LabelledImage:
        rng = Random(f"{self.split}/{self.seed}/{index}")
        play = _play(episode_seed(self.split, self.seed, rng.randrange(self.count // 4 + 1)))
        setting = play.setting_at(rng.uniform(0, play.duration))
        drawn = draw(setting)
        image = _augment(rng, drawn.image) if self.augment else drawn.image
        boxes = np.array([box.corners for box in drawn.boxes], np.float32).reshape(-1, 4)
        attributes = np.array([_attributes(setting, box) for box in drawn.boxes], np.int64)
        noise = np.array([[rng.gauss(0, JITTER) for _ in range(4)] for _ in drawn.boxes], np.float32)
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return LabelledImage(
            image,
            boxes,
            boxes + noise.reshape(-1, 4) * sides * self.augment,
            attributes.reshape(-1, len(ATTRIBUTES)),
            _class_index(PLACES, setting.place),
        )


def _augment(rng: Random, image: Image) -> Image:
    """Small changes of brightness, contrast and colour, and in 60 % of the images JPEG compression."""
    gains = [rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03) for _ in range(3)]
    shifted: Image = np.clip(image * np.array(gains, np.float32) + rng.uniform(-14, 14), 0, 255).astype(
        np.uint8
    )
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randrange(35, 90)]
        jpeg = cv2.imencode(".jpg", shifted, quality)[1]
        shifted = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)).astype(np.uint8)
    return shifted


def _attributes(setting: Setting, box: Box) -> list[int]:
    """The class index of each attribute of a thing, in the order of ATTRIBUTES."""
    actor = next((a for a in setting.actors if a.name == box.label), None)
    holder = next((a.name for a in setting.actors if box.label in (a.holding, a.wearing)), None)
    indices = {
        "kind": _class_index(CLASSES, "person" if actor else box.label),
        "look": _class_index(CAST, actor.name if actor else None),
        "holder": _class_index(CAST, holder),
        "holding": _class_index(HELD, actor.holding if actor else None),
        "wearing": _class_index(WORN, actor.wearing if actor else None),
        "posture": _class_index(get_args(Posture), actor.posture if actor else None),
        "mood": _class_index(get_args(Mood), actor.mood if actor else None),
        "place": _class_index(PLACES, setting.place),
    }
    return [indices[name] for name in ATTRIBUTES]


def _class_index(classes: Sequence[str], name: str | None) -> int:
    """0 stands for none of the classes."""
    return 0 if name is None else 1 + classes.index(name)


@dataclass(frozen=True, slots=True)
class RegionTargets:
    """Input and targets of the second stage, for n regions."""

    image: Tensor
    """(n,) index of the image in the batch"""
    box: Tensor
    """(n, 4) input pixels: the true boxes with noise, and the whole image"""
    attributes: Tensor
    """(n, attributes) class indices"""


@dataclass(frozen=True, slots=True)
class CellTargets:
    """Targets of the first stage, of which M cells have a box, and those of the second."""

    heat: Tensor
    """(B, classes, H, W) in [0, 1]: 1 at centres of boxes, falling off around them"""
    image: Tensor
    """(M,) index of the image in the batch"""
    cell: Tensor
    """(M,) flat index of the cell"""
    box: Tensor
    """(M, 4) input pixels"""
    region: RegionTargets
    """Of every thing of every image, and of every image as a whole."""


def collate(batch: Sequence[LabelledImage]) -> tuple[Tensor, CellTargets]:
    """Images as (B, 3, H, W) uint8, and their targets. A cell in the centre of two things learns the smaller one."""
    height, width = -(-INPUT_HEIGHT // STRIDE), INPUT_WIDTH // STRIDE
    heat = np.zeros((len(batch), len(CLASSES), height, width), np.float32)
    rows = []
    for i, labelled in enumerate(batch):
        thing_of_cell: dict[int, int] = {}
        boxes = labelled.boxes
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        for n in np.argsort(-areas):
            left, top, right, bottom = boxes[n] / STRIDE
            x, y = int((left + right) / 2), int((top + bottom) / 2)
            kind = labelled.attributes[n, 0] - 1
            _splat(heat[i, kind], x, y, right - left, bottom - top)
            for dy in range(-CENTRE_REACH, CENTRE_REACH + 1):
                for dx in range(-CENTRE_REACH, CENTRE_REACH + 1):
                    cx, cy = x + dx, y + dy
                    if left <= cx + 0.5 <= right and top <= cy + 0.5 <= bottom and cx < width and cy < height:
                        thing_of_cell[cy * width + cx] = int(n)
            thing_of_cell[min(y, height - 1) * width + min(x, width - 1)] = int(n)
        rows += [(i, cell, n) for cell, n in thing_of_cell.items()]
    image, cell, thing = (np.array(column) for column in zip(*rows, strict=True))
    box = np.stack([batch[i].boxes[n] for i, n in zip(image, thing, strict=True)])
    stacked = torch.from_numpy(np.stack([labelled.image for labelled in batch])).permute(0, 3, 1, 2)
    maps, images, cells, true_boxes = (torch.from_numpy(column) for column in (heat, image, cell, box))
    return stacked, CellTargets(maps, images, cells, true_boxes, _region_targets(batch))


def _region_targets(batch: Sequence[LabelledImage]) -> RegionTargets:
    whole_image = np.array([[0, 0, INPUT_WIDTH, INPUT_HEIGHT]], np.float32)
    images, boxes, attributes = [], [], []
    for i, labelled in enumerate(batch):
        of_whole_image = np.zeros((1, len(ATTRIBUTES)), np.int64)
        of_whole_image[0, list(ATTRIBUTES).index("place")] = labelled.place
        images.append(np.full(len(labelled.boxes) + 1, i))
        boxes += [labelled.jittered, whole_image]
        attributes += [labelled.attributes, of_whole_image]
    return RegionTargets(
        *(torch.from_numpy(np.concatenate(column)) for column in (images, boxes, attributes))
    )


def _splat(
    heat: np.ndarray[tuple[int, int], np.dtype[np.float32]], x: int, y: int, w: float, h: float
) -> None:
    """Draw a Gaussian around a centre (x, y), its width proportional to the box, into a heat map in place (cells)."""
    height, width = heat.shape
    rx, ry = max(1.0, w * 0.14), max(1.0, h * 0.14)
    left, right = max(0, int(x - 2 * rx)), min(width, int(x + 2 * rx) + 1)
    top, bottom = max(0, int(y - 2 * ry)), min(height, int(y + 2 * ry) + 1)
    ys, xs = np.ogrid[top:bottom, left:right]
    bump = np.exp(-((xs - x) ** 2) / (2 * (rx / 1.5) ** 2) - ((ys - y) ** 2) / (2 * (ry / 1.5) ** 2))
    np.maximum(heat[top:bottom, left:right], bump, out=heat[top:bottom, left:right])


def detector_loss(net: DetectorNet, maps: CellMaps, targets: CellTargets) -> Tensor:
    """Focal loss of the heat maps, GIoU loss of the boxes, cross-entropy of the second stage's attributes."""
    logits = maps.heat.float()
    probability = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    is_centre = targets.heat > 0.99
    positive = -((1 - probability) ** 2) * probability.log() * is_centre
    negative = -(probability**2) * (1 - probability).log() * (1 - targets.heat) ** 4 * ~is_centre
    heat_loss = (positive.sum() + negative.sum()) / is_centre.sum().clamp(min=1)
    boxes = torch.stack([decode_boxes(sides) for sides in maps.sides.float()])[targets.image, targets.cell]
    box_loss = giou_loss(boxes, targets.box).mean()
    region = targets.region
    description = net.describe(maps.content.float(), region.image, region.box)
    attribute_loss = torch.zeros(())
    for i, (name, size) in enumerate(ATTRIBUTES.items()):
        weight = torch.ones(size).index_fill(0, torch.tensor(0), NONE_WEIGHT)
        attribute_loss = attribute_loss + F.cross_entropy(
            description.logits[name], region.attributes[:, i], weight
        )
    return heat_loss + 2 * box_loss + 0.5 * attribute_loss


def attribute_accuracy(detector: StageDetector, images: int = 200, split: str = "test") -> dict[str, float]:
    """The accuracy of each attribute, on the true boxes of unseen images that have it."""
    right: dict[str, list[bool]] = {name: [] for name in ATTRIBUTES}
    for labelled in (DrawnImages(images, 1, split, augment=False)[i] for i in range(images)):
        pixels, targets = collate([labelled])
        region = targets.region
        with torch.inference_mode():
            maps = detector.net(pixels.float().div(255))
            description = detector.net.describe(maps.content, region.image, region.box)
        for i, name in enumerate(ATTRIBUTES):
            truth = region.attributes[:, i]
            right[name] += (description.logits[name].argmax(-1) == truth)[truth > 0].tolist()
    return {name: float(np.mean(values)) for name, values in right.items()}


def giou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 - generalised IoU (Rezatofighi et al., 2019) of boxes (n, 4), pair by pair. (n,)"""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    enclosing = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return 1 - shared / union.clamp(min=1e-6) + (enclosing - union) / enclosing.clamp(min=1e-6)


def check_replaceable(out: Path) -> None:
    """Raises InputError if a detector written to this folder would replace anything but a detector."""
    replaced = [path for path in (out / WEIGHTS, out / CARD) if path.exists()]
    if replaced and not ((out / CARD).is_file() and starts_with(out / CARD, re.escape(HEADING))):
        raise InputError(f"{replaced[0]}: exists and is of no detector; choose another folder")


def train_detector(
    out: Path, *, images: int = 24_000, seed: int = 0, workers: int = 1, progress: Progress | None = None
) -> StageDetector:
    """Train on drawn images; writes weights and model card to `out`.

    progress: called with the number of images learned. Raises InputError, before any training, if weights and card
    can't be written there.
    """
    check_writable(out / WEIGHTS)
    keep_freed_memory()
    torch.manual_seed(seed)
    net = DetectorNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = images // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    start = time.monotonic()
    loader = DataLoader(
        DrawnImages(images, seed), BATCH, collate_fn=collate, num_workers=workers, drop_last=True
    )
    for step, (pixels, targets) in enumerate(loader, 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast()):
            maps = net(pixels.float().div(255).contiguous(memory_format=torch.channels_last))
        loss = detector_loss(net, maps, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if progress:
            progress(step * BATCH, steps * BATCH, "images")
    minutes = (time.monotonic() - start) / 60
    weights = {
        name: value.half().contiguous()
        for name, value in net.state_dict().items()
        if value.is_floating_point()
    }
    write_bytes(out / WEIGHTS, save(weights))
    detector = StageDetector.load(out)
    write_text(out / CARD, _card(detector, images, seed, minutes))
    return detector


def recall(detector: StageDetector, images: int = 200, split: str = "test") -> float:
    """The share of true boxes of unseen images that one of the 20 best regions overlaps with IoU 0.5."""
    found = total = 0
    for labelled in (DrawnImages(images, 1, split, augment=False)[i] for i in range(images)):
        regions = detector.detect([labelled.image])[0]
        iou = tensor_box_iou(torch.from_numpy(labelled.boxes), torch.from_numpy(regions.boxes))
        found += int((iou.amax(1) >= 0.5).sum())
        total += len(labelled.boxes)
    return found / total


def _card(detector: StageDetector, images: int, seed: int, minutes: float) -> str:
    return (
        f"{HEADING}\n\n"
        f"- name: {detector.name}\n"
        f"- made by: `stage detector OUT --pictures {images} --seed {seed}`, {minutes:.1f} minutes of training\n"
        f"- weights: {sum(p.numel() for p in detector.net.parameters()):,}\n"
        f"- trained on: drawn images of the sitcom, split `{SPLIT}`; {len(CLASSES)} classes\n"
        f"- recall of true boxes at IoU 0.5 by the 20 best regions, 200 images of unseen episodes: "
        f"{recall(detector):.4f}\n"
        "- accuracy of attributes on the true boxes that have them, same images: "
        + ", ".join(f"{name} {value:.3f}" for name, value in attribute_accuracy(detector).items())
        + "\n"
        "- limits: trained on drawings only; in real films its regions are rarely objects\n"
    )
