"""What ONNX detectors put out, read by the conventions of the exporters that wrote them.

| family | outputs | boxes |
| --- | --- | --- |
| listed: D-FINE, RT-DETR, DEIM, and any export that has suppressed duplicates | boxes, scores, labels | pixels |
| detr: transformers' DETR, YOLOS, RT-DETR, D-FINE | logits, pred_boxes | centre and size, fractions |
| rf-detr | dets, labels | centre and size, fractions |
| yolox | output (1, cells, 5 + classes) | cells, to be decoded by their strides |
| ultralytics | output0 (1, 4 + classes, cells) or (1, boxes, 6) | pixels |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.features.regions.labels import COCO, Labels
from stage.features.regions.onnx_input import Preparation, Size
from stage.types import Array

Family = Literal["listed", "detr", "rf-detr", "yolox", "ultralytics"]
Outputs = Mapping[str, npt.NDArray[np.generic]]
BOXES, SCORES, LABELS = ("boxes", "bboxes"), ("scores",), ("labels", "classes", "class_ids")
"""The names of outputs of the family "listed"."""
STRIDES = (8, 16, 32)
"""Input pixels per cell of YOLOX, from the finest grid on."""
LARGEST_LOGARITHM = 20.0
"""Of a side in cells, as YOLOX puts it out: no side is longer than any picture."""
RELATIVE = 1.5
"""Boxes that none of its sides lies beyond are fractions of the input, not pixels."""
UNDERSTOOD = (
    "boxes, scores and labels (D-FINE, RT-DETR and others); logits and pred_boxes (transformers); dets and labels "
    "(RF-DETR); output (YOLOX); output0 (Ultralytics)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector found in a picture, in any order, with nothing left out."""

    boxes: Array
    """(N, 4) left, top, right, bottom in pixels of the input."""
    scores: Array
    """(N,)"""
    classes: npt.NDArray[np.int64]
    """(N,)"""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The outputs of a detector, by what they hold."""

    family: Family
    boxes: str
    """The name of the output."""
    scores: str
    classes: str

    @classmethod
    def of(cls, outputs: Mapping[str, int], where: str) -> OutputFormat:
        """Which family's these are. outputs: name -> number of axes. Raises InputError if they are no detector's."""
        names = {name.lower(): name for name in outputs}

        def first(*wanted: str) -> str:
            return next((names[name] for name in wanted if name in names), "")

        boxes, scores, classes = first(*BOXES), first(*SCORES), first(*LABELS)
        if boxes and scores and classes:
            return cls("listed", boxes, scores, classes)
        if (logits := first("logits", "pred_logits")) and (boxes := first("pred_boxes")):
            return cls("detr", boxes, logits, logits)
        if (boxes := first("dets")) and (logits := first("labels")) and outputs[logits] in (3, 0):
            return cls("rf-detr", boxes, logits, logits)
        if len(outputs) == 1 and (only := first("output0")):
            return cls("ultralytics", only, only, only)
        if len(outputs) == 1 and (only := first("output", "outputs")):
            return cls("yolox", only, only, only)
        found = ", ".join(list(outputs)[:12])
        raise InputError(
            f"{where}: its outputs are {found}, and those understood are {UNDERSTOOD}; export it as one"
        )

    @property
    def preparation(self) -> Preparation:
        """How the family's pictures are prepared, where no file says so."""
        return {
            "listed": Preparation(),
            "detr": Preparation(),
            "rf-detr": replace(Preparation().by_imagenet, smooth=False),
            "yolox": Preparation("corner", bgr=True, scale=1.0, smooth=False),
            "ultralytics": Preparation("centre", smooth=False),
        }[self.family]

    def read(self, outputs: Outputs, size: Size, labels: Labels) -> tuple[Detections, Labels]:
        """What was found in an input of this size, and the labels by the numbers that the classes have there.

        Raises ValueError if the arrays don't fit together; InputError if there are more or fewer labels than classes.
        """
        boxes = _floats(outputs[self.boxes], 2)
        if self.family == "listed":
            scores, classes = _floats(outputs[self.scores], 1), _floats(outputs[self.classes], 1)
            return _listed(boxes, scores, classes, size), labels
        if self.family == "yolox":
            boxes, probabilities = _yolox(boxes, size)
        elif self.family == "ultralytics":
            if boxes.shape[1] == 6 and labels.count != len(boxes) - 4:
                return _listed(boxes[:, :4], boxes[:, 4], boxes[:, 5], size), labels
            if len(boxes) < 5:
                raise ValueError(f"{self.boxes} has the shape {boxes.shape}")
            probabilities, boxes = boxes[4:].T, _corners(boxes[:4].T)
        else:
            logits = _floats(outputs[self.scores], 2)
            boxes = _corners(boxes) * _sides(size)
            labels, no_object = self.columns(logits.shape[1], labels)
            probabilities = _softmax(logits)[:, :-1] if no_object else _sigmoid(logits)
        if self.family in ("yolox", "ultralytics"):
            check_count(probabilities.shape[1], labels)
        if len(probabilities) != len(boxes) or not probabilities.shape[1]:
            raise ValueError(f"{len(boxes)} boxes and scores of the shape {probabilities.shape}")
        classes = probabilities.argmax(1)
        best = probabilities[np.arange(len(classes)), classes]
        return Detections(boxes, best, classes), labels

    def columns(self, count: int, labels: Labels) -> tuple[Labels, bool]:
        """The labels of the columns of logits, and whether the last one is for "no object" and they are a softmax's.

        transformers' DETR and YOLOS have one column more than labels, for "no object"; its other detectors and
        RF-DETR judge each class by itself. RF-DETR has a column more, too, which isn't used. Models trained with
        COCO's ids have 91 columns, whose 80 labels are often given without gaps. Raises InputError if the labels
        are others.
        """
        softmax = self.family == "detr"
        if labels.count == len(COCO) and count in (91, 92):
            return labels.by_coco_ids(), softmax and count == 92
        if count == labels.count + 1:
            return labels, softmax
        check_count(count, labels)
        return labels, False


def check_count(classes: int, labels: Labels) -> None:
    """Raises InputError if there are more or fewer labels than classes."""
    if classes != labels.count:
        raise InputError(
            f"{labels.origin}: has {labels.count} labels, and the detector has {classes} classes; give it those that "
            "it was trained with"
        )


def _floats(array: npt.NDArray[np.generic], axes: int) -> Array:
    """An output of so many axes, without the one of pictures, of which there is one. Raises ValueError."""
    values = np.asarray(array)
    if values.ndim == axes + 1 and len(values) == 1:
        values = values[0]
    if values.dtype.kind not in "fiu" or values.ndim != axes:
        raise ValueError(f"an output of {values.dtype} with the shape {values.shape}")
    return values.astype(np.float32)


def _listed(boxes: Array, scores: Array, classes: Array, size: Size) -> Detections:
    if boxes.shape[1] != 4 or not scores.shape == classes.shape == (len(boxes),):
        raise ValueError(f"boxes {boxes.shape}, scores {scores.shape} and labels {classes.shape}")
    finite = boxes[np.isfinite(boxes).all(1)]
    if len(finite) and np.abs(finite).max() <= RELATIVE:
        boxes = boxes * _sides(size)
    known = np.where(np.isfinite(classes) & (np.abs(classes) < 1e6), classes, -1)
    return Detections(boxes, scores, known.astype(np.int64))


def _sides(size: Size) -> Array:
    """What fractions of the input are multiplied with: (4,)"""
    return np.array([size[1], size[0], size[1], size[0]], np.float32)


def _yolox(rows: Array, size: Size) -> tuple[Array, Array]:
    """YOLOX's rows, one per cell: centre, size, whether there is an object, and the classes -> boxes, probabilities.

    The centre is in cells from the cell's corner, the size the logarithm of cells. Exports with decoded boxes (in
    pixels) are told by their centres, half of which then lie far from the corner.
    """
    grids = []
    for stride in STRIDES:
        across, down = np.meshgrid(np.arange(size[1] // stride), np.arange(size[0] // stride))
        grids.append(np.stack([across, down, np.full_like(across, stride)], -1))
    cells = np.concatenate([grid.reshape(-1, 3) for grid in grids]).astype(np.float32)
    if rows.shape[1] < 6 or len(rows) != len(cells):
        raise ValueError(
            f"output has the shape {rows.shape}, and YOLOX's at {size[1]} x {size[0]} pixels has {len(cells)} rows"
        )
    boxes = rows[:, :4]
    if np.median(np.abs(np.nan_to_num(boxes[:, 0]))) < size[1] / 8:
        sides = np.exp(np.minimum(boxes[:, 2:], LARGEST_LOGARITHM))
        boxes = np.concatenate([boxes[:, :2] + cells[:, :2], sides], 1) * cells[:, 2:]
    return _corners(boxes), rows[:, 4:5] * rows[:, 5:]


def _corners(boxes: Array) -> Array:
    """Centre and size (N, 4) -> left, top, right, bottom."""
    if boxes.shape[1] != 4:
        raise ValueError(f"boxes of the shape {boxes.shape}")
    half = boxes[:, 2:] / 2
    corners: Array = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)
    return corners


def _sigmoid(logits: Array) -> Array:
    values: Array = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    return values


def _softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    values: Array = raised / raised.sum(-1, keepdims=True)
    return values
