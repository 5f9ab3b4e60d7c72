"""Any labelled object detector that is an ONNX file, run by onnxruntime.

Its regions have boxes, scores and labels, and vectors without numbers (`dim` is 0): exports keep no state of each
box. Visual concepts make vectors of the labels.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stage.errors import InputError, first_line
from stage.features.names import ONNX, with_digests
from stage.features.protocols import REGIONS_PER_FRAME
from stage.features.regions.labels import Labels, find_labels
from stage.features.regions.onnx_input import USUAL_SIDE, Fitted, ImageInput, Preparation, Settings, Size
from stage.features.regions.onnx_outputs import Detections, OutputFormat, check_count
from stage.geometry import box_iou
from stage.runtime.hardware import usable_cores
from stage.types import Image, Regions
from stage.wording import counted

LEAST_SCORE = 0.2
"""The score from which on a box counts."""
SAME_LABEL_IOU, ANY_LABEL_IOU = 0.5, 0.8
"""Boxes with a larger IoU with a better one, of the same or any label, show the same object and are left out."""
CANDIDATES = 300
"""The best boxes of a picture, which are held against each other."""
LEAST_SIDE = 1.0
"""Pixels of the picture: smaller boxes show nothing."""
INSTALL = "pip install onnxruntime"
ROWS = "orig_target_sizes"
"""The input of D-FINE and RT-DETR for the width and height that boxes are scaled to."""
SIZE_TYPES = {"tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(float16)": np.float16}
"""Of that input, where it isn't int64."""
MASK = "pixel_mask"
MASK_SIDE = 64
"""Of transformers' masks of where the picture is, which are scaled to the features: all of it is."""
BLOCK = 1 << 20
WEIGHT_SUFFIXES = ("", ".data", "_data")
"""Of the ONNX file and the files of its weights beside it, for the digest."""
VERSION = 1
"""Of what is done with outputs, hashed into the name: another one gives other regions."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What `onnx:FILE` or `onnx:FILE:LABELS` names."""

    model: Path
    labels: str | None
    """A file, or a packaged list; None if they are to be found."""

    @classmethod
    def parse(cls, spec: str) -> Spec:
        """From the text after "onnx:", without a digest. Raises InputError if there is no such file.

        A file that is gone is looked for in the current folder by its last part, as other models are.
        """
        parts = spec.split(":")
        cuts = range(1, len(parts) + 1)
        here = [cut for cut in cuts if Path(":".join(parts[:cut])).is_file()]
        moved = [cut for cut in cuts if _found(":".join(parts[:cut]))]
        if not moved:
            raise InputError(
                f"{ONNX}{spec}: no such file; give an ONNX file, or {ONNX}FILE:LABELS with a file of its labels"
            )
        cut = here[-1] if here else moved[0]
        model, labels = _found(":".join(parts[:cut])), ":".join(parts[cut:])
        assert model is not None
        # Without such a file it is a packaged list, or reported when it is read.
        return cls(model, str(_found(labels) or labels) if labels else None)


def _found(name: str) -> Path | None:
    """A file by its path or, if that is gone, by its last part in the current folder."""
    return next((path for path in (Path(name), Path(Path(name).name)) if path.is_file()), None)


class OnnxDetector:
    """An ONNX file as a `RegionDetector` whose vectors are empty."""

    def __init__(self, spec: Spec, session: Any) -> None:
        """session: onnxruntime's. Raises InputError if it is no detector whose inputs and outputs are understood."""
        self._path, self._session = spec.model, session
        where = str(spec.model)
        inputs = {value.name: (value.type, list(value.shape)) for value in session.get_inputs()}
        self._input = ImageInput.among(inputs, where)
        self._others = {name: value for name, value in inputs.items() if name != self._input.name}
        if unknown := sorted(self._others.keys() - {ROWS, MASK}):
            raise InputError(
                f"{where}: needs the input {unknown[0]}, which isn't known here; export the detector alone"
            )
        shapes = {value.name: list(value.shape) for value in session.get_outputs()}
        self._format = OutputFormat.of({name: len(shape) for name, shape in shapes.items()}, where)
        self.labels: Labels = find_labels(
            spec.model, session.get_modelmeta().custom_metadata_map, spec.labels
        )
        self._settings = Settings.beside(spec.model) if self._format.family in ("listed", "detr") else None
        self._how = self._preparation(shapes)
        self._dropped: Counter[str] = Counter()
        labelled = f":{_absolute(spec.labels)}" if spec.labels else ""
        source = f"{ONNX}{spec.model.resolve()}{labelled}"
        self._name = with_digests(source, _weights_digest(spec.model), self._settings_digest())

    @classmethod
    def load(cls, spec: str) -> OnnxDetector:
        """Load what follows "onnx:" in a spec, without a digest.

        Raises InputError if there is no such file, onnxruntime is missing or can't read it, or it is no detector
        with labels.
        """
        try:
            import onnxruntime
        except ImportError:
            raise InputError(
                f"{ONNX}{spec}: is run by onnxruntime, which is not installed; {INSTALL} installs it"
            ) from None
        parsed = Spec.parse(spec)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised, too
        options.intra_op_num_threads = usable_cores()
        # Threads that wait in a loop take the cores from the film's decoder and from other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            session = onnxruntime.InferenceSession(str(parsed.model), options, providers=providers)
        except Exception as error:  # onnxruntime's have no base of their own
            raise InputError(
                f"{parsed.model}: is no ONNX file that onnxruntime {onnxruntime.__version__} can run "
                f"({first_line(error)}); get or export it again"
            ) from None
        return cls(parsed, session)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        """0: regions have no vectors."""
        return 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user: what was left out of the detector's output so far, and why."""
        return tuple(
            f"{self._path.name}: {counted(n, 'box', 'boxes')} {why}" for why, n in self._dropped.items()
        )

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The at most 20 best regions of each image with a score of LEAST_SCORE or more; there may be none.

        Raises InputError if the file can't process a picture, or its outputs are no boxes, scores and classes.
        """
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Regions:
        size = self._size_for(image)
        fitted = Fitted.to(image, size, self._how)
        given: dict[str, Any] = {self._input.name: self._input.tensor(fitted.canvas, self._how)}
        for name, (kind, shape) in self._others.items():
            if name == ROWS:
                given[name] = np.array([[size[1], size[0]]], SIZE_TYPES.get(kind, np.int64))
            else:
                sides = [side if isinstance(side, int) else MASK_SIDE for side in shape[1:]]
                given[name] = np.ones((1, *sides), np.int64)
        try:
            names = [value.name for value in self._session.get_outputs()]
            outputs = dict(zip(names, self._session.run(None, given), strict=True))
            with np.errstate(all="ignore"):
                detections, labels = self._format.read(outputs, size, self.labels)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{self._path}: gives no boxes for a picture of {size[1]} x {size[0]} pixels "
                f"({first_line(error)}); export it again"
            ) from None
        return self._regions(detections, labels, fitted)

    def _regions(self, found: Detections, labels: Labels, fitted: Fitted) -> Regions:
        """The regions that can be used: finite, labelled, with an area in the picture, each object once."""
        with np.errstate(all="ignore"):
            boxes, scores = fitted.in_picture(found.boxes), found.scores
        finite = np.isfinite(boxes).all(1) & np.isfinite(scores)
        self._leave_out(~finite & ~(scores < LEAST_SCORE), "with coordinates or scores that are not finite")
        good = finite & (scores >= LEAST_SCORE)
        self._leave_out(good & ((found.classes < 0) | (found.classes >= labels.count)), _beyond(labels))
        good &= np.isin(found.classes, list(labels.names))
        height, width = fitted.original
        boxes = np.nan_to_num(boxes).clip(0, np.array([width, height, width, height], np.float32))
        large = ((boxes[:, 2:] - boxes[:, :2]) >= LEAST_SIDE).all(1)
        self._leave_out(good & ~large, "without an area in the picture")
        rows = np.flatnonzero(good & large)
        self._leave_out(scores[rows] > 1, "with scores above 1, which are taken for 1", kept=True)
        rows = rows[np.argsort(-scores[rows], kind="stable")][:CANDIDATES]
        rows = rows[_distinct(boxes[rows], found.classes[rows])]
        return Regions(
            boxes[rows].astype(np.float32),
            scores[rows].clip(0, 1).astype(np.float32),
            np.zeros((len(rows), 0), np.float32),
            tuple(labels.names[kind] for kind in found.classes[rows].tolist()),
        )

    def _leave_out(self, which: Any, why: str, *, kept: bool = False) -> None:
        if count := int(np.count_nonzero(which)):
            self._dropped[why if kept else f"{why} left out"] += count

    def _preparation(self, shapes: dict[str, list[Any]]) -> Preparation:
        """How pictures are prepared. Raises InputError if the file has another number of classes than of labels."""
        columns, family = (shapes[self._format.scores] or [None])[-1], self._format.family
        if isinstance(columns, int) and family in ("detr", "rf-detr"):
            softmax = self._format.columns(columns, self.labels)[1]
            if softmax and not self._settings:  # DETR and YOLOS
                return self._format.preparation.by_imagenet
        if isinstance(columns, int) and family == "yolox":
            check_count(columns - 5, self.labels)
        return self._settings.how if self._settings else self._format.preparation

    def _size_for(self, image: Image) -> Size:
        wanted = self._settings.size_for(image) if self._settings else None
        height, width = wanted or (USUAL_SIDE, USUAL_SIDE)
        return self._input.height or height, self._input.width or width

    def _settings_digest(self) -> str:
        """Of all that decides about regions besides the weights."""
        thresholds = (LEAST_SCORE, SAME_LABEL_IOU, ANY_LABEL_IOU, CANDIDATES, LEAST_SIDE, REGIONS_PER_FRAME)
        settings = (
            VERSION, thresholds, self._format.family, asdict(self._how), sorted(self.labels.names.items()),
            self._settings and (self._settings.size, self._settings.shortest, self._settings.longest),
        )  # fmt: skip
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _beyond(labels: Labels) -> str:
    return (
        f"of classes beyond the {labels.count} labels in {labels.origin} (are they those that the detector was "
        "trained with?)"
    )


def _distinct(boxes: Any, classes: Any) -> list[int]:
    """Positions of the at most 20 best boxes that no better one shows the object of. boxes: best first."""
    iou = box_iou(boxes, boxes)
    same = (iou > ANY_LABEL_IOU) | ((iou > SAME_LABEL_IOU) & (classes[:, None] == classes))
    keep: list[int] = []
    for row in range(len(boxes)):
        if len(keep) < REGIONS_PER_FRAME and not same[row, keep].any():
            keep.append(row)
    return keep


def _absolute(labels: str) -> str:
    """The path of a file of labels; the name of a packaged list as it is."""
    return str(Path(labels).resolve()) if Path(labels).exists() else labels


def _weights_digest(model: Path) -> str:
    """Of the ONNX file and, where it keeps its weights beside it under the usual names, of these."""
    digest = hashlib.sha256()
    for path in (model.with_name(f"{model.name}{suffix}") for suffix in WEIGHT_SUFFIXES):
        if path.is_file():
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
    return digest.hexdigest()
