"""Any object detector of transformers as a region detector (DETR and its kin, ...)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stage.errors import InputError, first_line
from stage.features.pretrained import LOADING_ERRORS, download_progress
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
        """Load a model folder, or a model of the hub by its name (only then is the network used).

        Images are prepared as its preprocessor_config.json says, or as for DETR if it has none. Raises InputError if
        it is not an object detector, or one without a state for each box.
        """
        folder = Path(spec)
        local = folder.is_dir()
        if not local and (folder.is_absolute() or spec.startswith(".") or spec.count("/") != 1):
            raise InputError(
                f"{spec}: no such detector; give `stage`, a model folder or a hub name (owner/name)"
            )
        from transformers import AutoModelForObjectDetection

        try:
            with download_progress(local=local):
                model = AutoModelForObjectDetection.from_pretrained(
                    spec, local_files_only=local, use_safetensors=True
                )
                processor = _image_processor(spec, local)
        except LOADING_ERRORS as error:
            raise InputError(f"{spec}: no object detector could be loaded ({first_line(error)})") from None
        if not hasattr(model.config, "hidden_size") and not hasattr(model.config, "d_model"):
            raise InputError(
                f"{spec}: this kind of detector has no state for each box; use one like DETR or YOLOS"
            )
        name = spec
        if local:
            weights = b"".join(path.read_bytes() for path in sorted(folder.glob("*.safetensors")))
            name = f"{spec}@{hashlib.sha256(weights).hexdigest()[:12]}"
        return cls(model, processor, name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        config = self.model.config
        return int(getattr(config, "d_model", None) or config.hidden_size)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The at most 20 best queries of each image, by the score of their best class."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Regions:
        from transformers.image_transforms import center_to_corners_format

        prepared = self.processor(images=image, input_data_format="channels_last", return_tensors="pt")
        output = self.model(pixel_values=prepared["pixel_values"].to(self.model.device))
        # The processor's own post-processing doesn't tell which query a box is of, and so not its state.
        probabilities = self._probabilities(output.logits[0].float().cpu())
        scores, kinds = probabilities.max(-1)
        height, width = image.shape[:2]
        relative: Any = center_to_corners_format(output.pred_boxes[0].float().cpu())
        boxes = relative * torch.tensor([width, height, width, height])
        boxes = torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]).float())
        keep = distinct(boxes, scores)
        names = self.model.config.id2label
        return Regions(
            boxes[keep].numpy(),
            scores[keep].numpy(),
            output.last_hidden_state[0, -len(boxes) :].float().cpu()[keep].numpy(),
            tuple(str(names[kind]) for kind in kinds[keep].tolist()),
        )

    def _probabilities(self, logits: Tensor) -> Tensor:
        """(queries, classes). Models with a class for "no object" have one output more than labels."""
        if logits.shape[-1] == len(self.model.config.id2label) + 1:
            return logits.softmax(-1)[:, :-1]
        return logits.sigmoid()


def _image_processor(spec: str, local: bool) -> Any:
    """The processor of a model, in its PIL version: those of torchvision are another large dependency."""
    import transformers
    from transformers.utils.hub import cached_file

    settings = cached_file(
        spec, "preprocessor_config.json", local_files_only=local, _raise_exceptions_for_missing_entries=False
    )
    if settings is None:
        # The name before version 5 of transformers is the second one.
        kind = getattr(transformers, "DetrImageProcessorPil", None) or transformers.DetrImageProcessor
        return kind()
    auto: Any = transformers.AutoImageProcessor
    return auto.from_pretrained(spec, backend="pil", local_files_only=local, trust_remote_code=False)


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
