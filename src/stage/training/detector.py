"""Training the packaged detector on pictures of the sitcom (the analogue of training on Visual Genome)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stage.features.regions.packaged import (
    ATTRIBUTES,
    INPUT_HEIGHT,
    INPUT_WIDTH,
    KINDS,
    STRIDE,
    WEIGHTS,
    CellMaps,
    DetectorNet,
    StageDetector,
    box_iou,
    cell_boxes,
)
from stage.io import check_writable, write_bytes, write_text
from stage.runtime.allocator import keep_freed_memory
from stage.runtime.hardware import bfloat16_is_fast
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import CAST, HELD, PLACES, WORN, Mood, Posture, Setting
from stage.types import Box, Image

SPLIT = "detector"
"""Pictures come from episodes of a split of their own."""
BATCH = 8
LEARNING_RATE = 2e-3
SHAKE = 0.04
"""How far the sides of boxes that the second stage learns from are off, as a share of the box."""
NONE_WEIGHT = 0.3
"""What "none of them" counts: there are more things without moods than with."""
CENTRE_REACH = 1
"""Cells around the centre's that learn the box, too."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and what is in it; n things."""

    picture: Image
    boxes: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """(n, 4) pixels"""
    shaken: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """(n, 4) the boxes as a detector might find them"""
    attributes: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """(n, attributes) in the order of ATTRIBUTES"""
    place: int
    """The answer that the picture as a whole has for its place."""


@lru_cache(maxsize=256)
def _play(seed: int) -> Screenplay:
    return write_screenplay(seed)


class Pictures(Dataset[Labelled]):
    """Settings at random seconds of random episodes, seen through bad cameras and compression."""

    def __init__(self, count: int, seed: int, split: str = SPLIT, augment: bool = True) -> None:
        self.count, self.seed, self.split, self.augment = count, seed, split, augment

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Labelled:
        rng = Random(f"{self.split}/{self.seed}/{index}")
        play = _play(episode_seed(self.split, self.seed, rng.randrange(self.count // 4 + 1)))
        setting = play.setting_at(rng.uniform(0, play.duration))
        drawn = draw(setting)
        picture = _worsen(rng, drawn.picture) if self.augment else drawn.picture
        boxes = np.array([box.corners for box in drawn.boxes], np.float32).reshape(-1, 4)
        attributes = np.array([_attributes(setting, box) for box in drawn.boxes], np.int64)
        noise = np.array([[rng.gauss(0, SHAKE) for _ in range(4)] for _ in drawn.boxes], np.float32)
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return Labelled(
            picture,
            boxes,
            boxes + noise.reshape(-1, 4) * sides * self.augment,
            attributes.reshape(-1, len(ATTRIBUTES)),
            _answer(PLACES, setting.place),
        )


def _worsen(rng: Random, picture: Image) -> Image:
    """Brightness, contrast and colour a little off; often compressed."""
    gains = [rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03) for _ in range(3)]
    shifted: Image = np.clip(picture * np.array(gains, np.float32) + rng.uniform(-14, 14), 0, 255).astype(
        np.uint8
    )
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randrange(35, 90)]
        packed = cv2.imencode(".jpg", shifted, quality)[1]
        shifted = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)).astype(np.uint8)
    return shifted


def _attributes(setting: Setting, box: Box) -> list[int]:
    actor = next((a for a in setting.actors if a.name == box.label), None)
    holder = next((a.name for a in setting.actors if box.label in (a.holding, a.wearing)), None)
    told = {
        "kind": _answer(KINDS, "person" if actor else box.label),
        "look": _answer(CAST, actor.name if actor else None),
        "holder": _answer(CAST, holder),
        "holding": _answer(HELD, actor.holding if actor else None),
        "wearing": _answer(WORN, actor.wearing if actor else None),
        "posture": _answer(get_args(Posture), actor.posture if actor else None),
        "mood": _answer(get_args(Mood), actor.mood if actor else None),
        "place": _answer(PLACES, setting.place),
    }
    return [told[name] for name in ATTRIBUTES]


def _answer(answers: Sequence[str], right: str | None) -> int:
    return 0 if right is None else 1 + answers.index(right)


@dataclass(frozen=True, slots=True)
class RegionTargets:
    """What the second stage is shown, and what it should tell. n regions."""

    image: Tensor
    """(n,) image of the batch"""
    box: Tensor
    """(n, 4) input pixels: true boxes, a little shaken"""
    attributes: Tensor
    """(n, attributes)"""


@dataclass(frozen=True, slots=True)
class CellTargets:
    """What the maps of a batch should say. M cells have a box."""

    heat: Tensor
    """(B, kinds, H, W) in [0, 1]: 1 at centres, falling off around them"""
    image: Tensor
    cell: Tensor
    """(M,) image of the batch and flat cell"""
    box: Tensor
    """(M, 4) input pixels"""
    region: RegionTargets
    """Every thing of every picture, and every picture whole."""


def collate(pictures: Sequence[Labelled]) -> tuple[Tensor, CellTargets]:
    """Pictures as (B, 3, H, W) bytes, and their targets; of two things with one centre the smaller is learnt."""
    height, width = -(-INPUT_HEIGHT // STRIDE), INPUT_WIDTH // STRIDE
    heat = np.zeros((len(pictures), len(KINDS), height, width), np.float32)
    rows = []
    for i, labelled in enumerate(pictures):
        taken: dict[int, int] = {}
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
                        taken[cy * width + cx] = int(n)
            taken[min(y, height - 1) * width + min(x, width - 1)] = int(n)
        rows += [(i, cell, n) for cell, n in taken.items()]
    image, cell, thing = (np.array(column) for column in zip(*rows, strict=True))
    box = np.stack([pictures[i].boxes[n] for i, n in zip(image, thing, strict=True)])
    stacked = torch.from_numpy(np.stack([p.picture for p in pictures])).permute(0, 3, 1, 2)
    maps, images, cells, truth = (torch.from_numpy(column) for column in (heat, image, cell, box))
    return stacked, CellTargets(maps, images, cells, truth, _region_targets(pictures))


def _region_targets(pictures: Sequence[Labelled]) -> RegionTargets:
    whole = np.array([[0, 0, INPUT_WIDTH, INPUT_HEIGHT]], np.float32)
    images, boxes, attributes = [], [], []
    for i, labelled in enumerate(pictures):
        of_whole = np.zeros((1, len(ATTRIBUTES)), np.int64)
        of_whole[0, list(ATTRIBUTES).index("place")] = labelled.place
        images.append(np.full(len(labelled.boxes) + 1, i))
        boxes += [labelled.shaken, whole]
        attributes += [labelled.attributes, of_whole]
    return RegionTargets(*(torch.from_numpy(np.concatenate(parts)) for parts in (images, boxes, attributes)))


def _splat(
    heat: np.ndarray[tuple[int, int], np.dtype[np.float32]], x: int, y: int, w: float, h: float
) -> None:
    """A bump around a centre whose width follows the box."""
    height, width = heat.shape
    rx, ry = max(1.0, w * 0.14), max(1.0, h * 0.14)
    left, right = max(0, int(x - 2 * rx)), min(width, int(x + 2 * rx) + 1)
    top, bottom = max(0, int(y - 2 * ry)), min(height, int(y + 2 * ry) + 1)
    ys, xs = np.ogrid[top:bottom, left:right]
    bump = np.exp(-((xs - x) ** 2) / (2 * (rx / 1.5) ** 2) - ((ys - y) ** 2) / (2 * (ry / 1.5) ** 2))
    np.maximum(heat[top:bottom, left:right], bump, out=heat[top:bottom, left:right])


def detector_loss(net: DetectorNet, maps: CellMaps, targets: CellTargets) -> Tensor:
    """Focal loss on centres, GIoU on boxes, cross-entropy on what the second stage tells."""
    logits = maps.heat.float()
    probability = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    is_centre = targets.heat > 0.99
    found = -((1 - probability) ** 2) * probability.log() * is_centre
    absent = -(probability**2) * (1 - probability).log() * (1 - targets.heat) ** 4 * ~is_centre
    heat_loss = (found.sum() + absent.sum()) / is_centre.sum().clamp(min=1)
    boxes = torch.stack([cell_boxes(sides) for sides in maps.sides.float()])[targets.image, targets.cell]
    box_loss = giou_loss(boxes, targets.box).mean()
    region = targets.region
    told = net.describe(maps.content.float(), region.image, region.box)
    attribute_loss = torch.zeros(())
    for i, (name, size) in enumerate(ATTRIBUTES.items()):
        weight = torch.ones(size).index_fill(0, torch.tensor(0), NONE_WEIGHT)
        attribute_loss = attribute_loss + F.cross_entropy(told.logits[name], region.attributes[:, i], weight)
    return heat_loss + 2 * box_loss + 0.5 * attribute_loss


def attribute_accuracy(detector: StageDetector, pictures: int = 200, split: str = "test") -> dict[str, float]:
    """For each attribute, how often it is told right of true boxes of unseen pictures that have it."""
    right: dict[str, list[bool]] = {name: [] for name in ATTRIBUTES}
    for labelled in (Pictures(pictures, 1, split, augment=False)[i] for i in range(pictures)):
        images, targets = collate([labelled])
        region = targets.region
        with torch.inference_mode():
            maps = detector.net(images.float().div(255))
            told = detector.net.describe(maps.content, region.image, region.box)
        for i, name in enumerate(ATTRIBUTES):
            truth = region.attributes[:, i]
            right[name] += (told.logits[name].argmax(-1) == truth)[truth > 0].tolist()
    return {name: float(np.mean(values)) for name, values in right.items()}


def giou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 - generalised IoU of boxes (n, 4) pair by pair."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    around = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return 1 - shared / union.clamp(min=1e-6) + (around - union) / around.clamp(min=1e-6)


def train_detector(out: Path, *, pictures: int = 24_000, seed: int = 0, workers: int = 1) -> StageDetector:
    """Train on drawn pictures and write weights and card to `out`.

    Raises InputError, before anything is trained, if they can't be written there.
    """
    check_writable(out / WEIGHTS)
    keep_freed_memory()
    torch.manual_seed(seed)
    net = DetectorNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = pictures // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    for images, targets in _with_progress(pictures, seed, workers):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast()):
            maps = net(images.float().div(255).contiguous(memory_format=torch.channels_last))
        loss = detector_loss(net, maps, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    minutes = (time.monotonic() - began) / 60
    weights = {
        name: value.half().contiguous()
        for name, value in net.state_dict().items()
        if value.is_floating_point()
    }
    write_bytes(out / WEIGHTS, save(weights))
    detector = StageDetector.load(out)
    write_text(out / "card.md", _card(detector, pictures, seed, minutes))
    return detector


def _with_progress(pictures: int, seed: int, workers: int) -> Iterator[tuple[Tensor, CellTargets]]:
    loader = DataLoader(
        Pictures(pictures, seed), BATCH, collate_fn=collate, num_workers=workers, drop_last=True
    )
    columns = (TextColumn("Training the detector"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(loader, total=len(loader))


def recall(detector: StageDetector, pictures: int = 200, split: str = "test") -> float:
    """Share of true boxes of unseen pictures that one of the 20 best regions overlaps by half."""
    found = total = 0
    for labelled in (Pictures(pictures, 1, split, augment=False)[i] for i in range(pictures)):
        regions = detector.detect([labelled.picture])[0]
        iou = box_iou(torch.from_numpy(labelled.boxes), torch.from_numpy(regions.boxes))
        found += int((iou.amax(1) >= 0.5).sum())
        total += len(labelled.boxes)
    return found / total


def _card(detector: StageDetector, pictures: int, seed: int, minutes: float) -> str:
    return (
        "# The packaged detector\n\n"
        f"- name: {detector.name}\n"
        f"- made by: `stage detector OUT --pictures {pictures} --seed {seed}`, {minutes:.1f} minutes of training\n"
        f"- weights: {sum(p.numel() for p in detector.net.parameters()):,}\n"
        f"- trained on: pictures of the sitcom, split `{SPLIT}`; {len(KINDS)} kinds\n"
        f"- recall of true boxes at IoU 0.5 by the 20 best regions, 200 pictures of unseen episodes: "
        f"{recall(detector):.4f}\n"
        "- attributes told right of true boxes that have them, same pictures: "
        + ", ".join(f"{name} {value:.3f}" for name, value in attribute_accuracy(detector).items())
        + "\n"
        "- of films that are not drawn it knows nothing: it gives regions, but they are rarely things\n"
    )
