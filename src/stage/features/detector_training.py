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

from stage.features.detector import (
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
from stage.files import write_bytes, write_text
from stage.memory import keep_memory
from stage.sitcom.drawing import draw
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import CAST, HELD, PLACES, WORN, Actor, Mood, Posture, Setting
from stage.types import Box, Image

SPLIT = "detector"
"""Pictures come from episodes of a split of their own."""
UNKNOWN = -100
BATCH = 8
LEARNING_RATE = 2e-3
CENTRE_REACH = 1
"""Cells around the centre's that learn the box, too."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and what is in it; n things."""

    picture: Image
    boxes: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """(n, 4) pixels"""
    kinds: np.ndarray[tuple[int], np.dtype[np.int64]]
    attributes: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """(n, attributes) in the order of ATTRIBUTES; UNKNOWN where the thing has no such attribute"""


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
        kinds = np.array(
            [KINDS.index("person" if b.label in CAST else b.label) for b in drawn.boxes], np.int64
        )
        attributes = np.array([_attributes(setting, box) for box in drawn.boxes], np.int64)
        return Labelled(picture, boxes, kinds, attributes.reshape(-1, len(ATTRIBUTES)))


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
    place = PLACES.index(setting.place)
    for actor in setting.actors:
        if actor.name == box.label:
            return _of_person(actor, place)
    holder = next((a for a in setting.actors if box.label in (a.holding, a.wearing)), None)
    held = CAST.index(holder.name) + 1 if holder else 0 if box.label in (*HELD, *WORN) else UNKNOWN
    return [UNKNOWN, held, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, place]


def _of_person(actor: Actor, place: int) -> list[int]:
    return [
        CAST.index(actor.name),
        UNKNOWN,
        HELD.index(actor.holding) + 1 if actor.holding else 0,
        WORN.index(actor.wearing) + 1 if actor.wearing else 0,
        get_args(Posture).index(actor.posture),
        get_args(Mood).index(actor.mood),
        place,
    ]


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
    central: Tensor
    """(M,) whether it is the very centre: attributes are asked there"""
    attributes: Tensor
    """(M, attributes)"""


def collate(pictures: Sequence[Labelled]) -> tuple[Tensor, CellTargets]:
    """Pictures as (B, 3, H, W) bytes, and their targets; of two things with one centre the smaller is learnt."""
    height, width = -(-INPUT_HEIGHT // STRIDE), INPUT_WIDTH // STRIDE
    heat = np.zeros((len(pictures), len(KINDS), height, width), np.float32)
    rows = []
    for i, labelled in enumerate(pictures):
        taken: dict[int, tuple[int, bool]] = {}
        boxes = labelled.boxes
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        for n in np.argsort(-areas):
            left, top, right, bottom = boxes[n] / STRIDE
            x, y = int((left + right) / 2), int((top + bottom) / 2)
            _splat(heat[i, labelled.kinds[n]], x, y, right - left, bottom - top)
            for dy in range(-CENTRE_REACH, CENTRE_REACH + 1):
                for dx in range(-CENTRE_REACH, CENTRE_REACH + 1):
                    cx, cy = x + dx, y + dy
                    if left <= cx + 0.5 <= right and top <= cy + 0.5 <= bottom and cx < width and cy < height:
                        taken[cy * width + cx] = (int(n), dx == dy == 0)
            taken[min(y, height - 1) * width + min(x, width - 1)] = (int(n), True)
        rows += [(i, cell, n, central) for cell, (n, central) in taken.items()]
    image, cell, thing, central = (np.array(column) for column in zip(*rows, strict=True))
    box = np.stack([pictures[i].boxes[n] for i, n in zip(image, thing, strict=True)])
    attributes = np.stack([pictures[i].attributes[n] for i, n in zip(image, thing, strict=True)])
    stacked = torch.from_numpy(np.stack([p.picture for p in pictures])).permute(0, 3, 1, 2)
    return stacked, CellTargets(
        torch.from_numpy(heat), *map(torch.from_numpy, (image, cell, box, central, attributes))
    )


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
    """Focal loss on centres, GIoU on boxes, cross-entropy on attributes."""
    logits = maps.heat.float()
    probability = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    is_centre = targets.heat > 0.99
    found = -((1 - probability) ** 2) * probability.log() * is_centre
    absent = -(probability**2) * (1 - probability).log() * (1 - targets.heat) ** 4 * ~is_centre
    heat_loss = (found.sum() + absent.sum()) / is_centre.sum().clamp(min=1)
    boxes = torch.stack([cell_boxes(sides) for sides in maps.sides.float()])[targets.image, targets.cell]
    box_loss = giou_loss(boxes, targets.box).mean()
    centre = targets.central
    embedding = maps.embedding.flatten(2)[targets.image, :, targets.cell][centre].float()
    attribute_loss = torch.zeros(())
    for i, name in enumerate(ATTRIBUTES):
        truth = targets.attributes[centre, i]
        if (truth != UNKNOWN).any():
            attribute_loss = attribute_loss + F.cross_entropy(
                net.attributes[name](embedding), truth, ignore_index=UNKNOWN
            )
    return heat_loss + 2 * box_loss + 0.5 * attribute_loss


def giou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 - generalised IoU of boxes (n, 4) pair by pair."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    around = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return 1 - shared / union.clamp(min=1e-6) + (around - union) / around.clamp(min=1e-6)


def train_detector(out: Path, *, pictures: int = 12_000, seed: int = 0, workers: int = 1) -> StageDetector:
    """Train on drawn pictures and write weights and card to `out`."""
    keep_memory()
    torch.manual_seed(seed)
    net = DetectorNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = pictures // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    for images, targets in _with_progress(pictures, seed, workers):
        with torch.autocast("cpu", torch.bfloat16):
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
        f"- attributes: {', '.join(ATTRIBUTES)}\n"
        f"- recall of true boxes at IoU 0.5 by the 20 best regions, 200 pictures of unseen episodes: "
        f"{recall(detector):.4f}\n"
        "- of films that are not drawn it knows nothing: it gives regions, but they are rarely things\n"
    )
