"""Any object detector of transformers with labels as a region detector: DETR, YOLOS, RT-DETR, D-FINE, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError
from stage.features.hub import downloaded
from stage.features.image_processor import load_image_processor, prepare
from stage.features.pretrained import load_weights, loading, name_of_folder, one_line
from stage.features.pretrained_files import PROCESSOR_FILES, has_any
from stage.features.protocols import REGIONS_PER_FRAME
from stage.geometry import tensor_box_iou
from stage.runtime.hardware import best_device
from stage.types import Image, Regions

SAME_OBJECT = 0.7
"""Queries whose boxes have a larger IoU than this show the same object; the better one is kept."""


class TransformersDetector:
    """Boxes and labels of a detector's queries; their features are the decoder's last states."""

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        """processor: the image processor of transformers that the model was trained with."""
        self.model = model.eval().to(best_device())
        self.processor = processor
        self._name = name

    @classmethod
    def load(cls, spec: str) -> TransformersDetector:
        """Load a model folder, or a model of the hub by its name: from the network unless it was downloaded before.

        Images are prepared as its preprocessor_config.json says, or as for DETR if it has none. Raises InputError if
        it is not an object detector, its weights are incomplete, it has no state for each box, or these settings
        prepare no image. Whether the model can process what they prepare is seen with the first image.
        """
        folder = Path(spec)
        local = folder.is_dir()
        if not local and (folder.is_absolute() or spec.startswith(".") or spec.count("/") != 1):
            raise InputError(
                f"{spec}: no such detector; give stage, onnx:FILE, a model folder or a hub name (owner/name)"
            )
        from transformers import AutoModelForObjectDetection

        here = folder if local else downloaded(spec)
        source, on_disk = (str(here), True) if here else (spec, False)
        with loading(source, "object detector", local=on_disk):
            model = load_weights(AutoModelForObjectDetection, source, local=on_disk)
            processor = _image_processor(source, on_disk)
        if not any(isinstance(getattr(model.config, size, None), int) for size in ("d_model", "hidden_size")):
            raise InputError(
                f"{spec}: this kind of detector has no state for each box; use one like DETR or YOLOS"
            )
        detector = cls(model, processor, name_of_folder(folder, PROCESSOR_FILES) if local else spec)
        detector.prepare(np.full((360, 640, 3), 127, np.uint8))
        return detector

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        config = self.model.config
        return int(getattr(config, "d_model", None) or config.hidden_size)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The at most 20 best queries of each image, by the score of their best class.

        Raises InputError if an image can't be prepared as the processor's settings say, or not be processed then.
        """
        return [self._detect(image) for image in images]

    def prepare(self, image: Image) -> Tensor:
        """The pixel values (1, 3, height, width) that the model gets, prepared as the processor's settings say.

        Raises InputError if these settings can't be used for an image of this size.
        """
        return prepare(self.processor, image, self.name)["pixel_values"]

    def _detect(self, image: Image) -> Regions:
        pixels = self.prepare(image).to(self.model.device)
        with one_line(
            f"{self.name}: the model can't process images prepared as its preprocessor_config.json says"
        ):
            return self._regions(pixels, image)

    def _regions(self, pixels: Tensor, image: Image) -> Regions:
        """The best queries of the image that these pixel values were prepared from."""
        from transformers.image_transforms import center_to_corners_format

        output = self.model(pixel_values=pixels)
        # The processor's own post-processing doesn't tell which query a box is of, and so not its state.
        probabilities = self._probabilities(output.logits[0].float().cpu())
        scores, kinds = probabilities.max(-1)
        height, width = image.shape[:2]
        relative: Any = center_to_corners_format(output.pred_boxes[0].float().cpu())
        boxes = relative * torch.tensor([width, height, width, height])
        boxes = torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]).float())
        states = output.last_hidden_state[0, -len(boxes) :].float().cpu()
        if states.shape != (len(boxes), self.dim) or not all(
            v.isfinite().all() for v in (states, boxes, scores)
        ):
            raise ValueError(f"its boxes have no finite states of {self.dim} numbers")
        keep = distinct(boxes, scores)
        names = self.model.config.id2label
        return Regions(
            boxes[keep].numpy(),
            scores[keep].numpy(),
            states[keep].numpy(),
            tuple(str(names[kind]) for kind in kinds[keep].tolist()),
        )

    def _probabilities(self, logits: Tensor) -> Tensor:
        """(queries, classes). Models with a class for "no object" have one output more than labels."""
        if logits.shape[-1] == len(self.model.config.id2label) + 1:
            return logits.softmax(-1)[:, :-1]
        return logits.sigmoid()


def _image_processor(source: str, local: bool) -> Any:
    """The processor of a model; that of DETR if it has no settings of one."""
    if not has_any(source, PROCESSOR_FILES, local=local):
        import transformers

        return transformers.DetrImageProcessorPil()
    return load_image_processor(source, local=local)


def distinct(boxes: Tensor, scores: Tensor) -> Tensor:
    """Positions of the at most 20 best boxes (N, 4) that no better one suppresses; at least one."""
    order = scores.argsort(descending=True)
    overlaps = tensor_box_iou(boxes[order], boxes[order]) > SAME_OBJECT
    keep: list[int] = []
    for i in range(len(order)):
        if len(keep) == REGIONS_PER_FRAME:
            break
        if not overlaps[i, keep].any():
            keep.append(i)
    return order[keep]
