"""Intersection over union (IoU) of boxes and spans; the release's and VOC's variants.

Boxes are rows (left, top, right, bottom) in pixels, spans rows (start, end) in seconds. The variants disagree on
how many pixels a box covers, and scores depend on it, so each caller names the one that it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Numbers = npt.NDArray[np.floating[Any]]
Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


def box_iou(a: Numbers, b: Numbers) -> Doubles:
    """IoU of every box of (N, 4) with every box of (M, 4) -> (N, M), in float64. 0 where the union has no area."""
    a, b = a[:, None].astype(np.float64), b.astype(np.float64)
    intersection = (
        (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0).prod(-1)
    )
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - intersection
    iou: Doubles = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return iou


def tensor_box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Like `box_iou`, but for tensors, in their dtype and on their device: what detectors suppress duplicates by.

    Unions under 1e-6 count as 1e-6.
    """
    # Methods of tensors only: this module is imported without torch.
    sides = (a[:, None, 2:].minimum(b[:, 2:]) - a[:, None, :2].maximum(b[:, :2])).clamp(min=0)
    intersection = sides.prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    return intersection / (areas[0][:, None] + areas[1] - intersection).clamp(min=1e-6)


def release_label_iou(detected: Numbers, annotated: Numbers) -> Numbers:
    """IoU by which the release labels regions: (N, 4) with (M, 4) -> (N, M), rounded to four decimals.

    Its preprocessing adds one pixel to both sides of the intersection, but not to those of the boxes, so the IoU of a
    box with itself is above 1.
    """
    sides = np.minimum(detected[:, None, 2:], annotated[:, 2:])
    sides -= np.maximum(detected[:, None, :2], annotated[:, :2])
    sides += 1
    np.maximum(sides, 0, out=sides)
    intersection = sides[..., 0] * sides[..., 1]
    union = _areas(detected)[:, None] + _areas(annotated) - intersection
    iou = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    rounded: Numbers = iou.round(4)
    return rounded


def _areas(boxes: Numbers) -> Numbers:
    sides = boxes[:, 2:] - boxes[:, :2]
    areas: Numbers = sides[:, 0] * sides[:, 1]
    return areas


def voc_iou(a: Singles, b: Singles) -> Singles:
    """IoU of boxes (N, 4) with boxes (N, 4), row by row -> (N,), as the release's scorer computes it for mAP.

    It follows PASCAL VOC's development kit, where corners are whole pixels that belong to the box, but counts the
    last one twice: one is added to right and bottom, and then both ends of each side are counted. A side is 2 pixels
    longer than the difference of its ends. A box whose right edge lies left of its left edge overlaps nothing.
    """
    areas = (a[:, 2] - a[:, 0] + 2) * (a[:, 3] - a[:, 1] + 2) + (b[:, 2] - b[:, 0] + 2) * (
        b[:, 3] - b[:, 1] + 2
    )
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]) + 2
    intersection = sides.clip(min=0).prod(axis=1)
    union = areas - intersection
    iou: Singles = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return iou


def span_iou(a: Doubles, b: Doubles) -> Doubles:
    """IoU of spans (N, 2) with spans (N, 2), row by row -> (N,), as for Temp. mIoU (Sec. 5.1).

    The union is from the first start to the last end, as in the release's scorer; spans that meet nowhere have 0.
    """
    intersection = np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0])
    union = np.maximum(a[:, 1], b[:, 1]) - np.minimum(a[:, 0], b[:, 0])
    iou: Doubles = np.divide(intersection.clip(min=0), union, out=np.zeros_like(union), where=union > 0)
    return iou


def span_overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """`span_iou` of one pair of spans."""
    return float(span_iou(np.array([a], np.float64), np.array([b], np.float64))[0])
