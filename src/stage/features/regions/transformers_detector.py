"""Any object detector of transformers as a region detector: DETR and its kin, YOLOS, RT-DETR and others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError, first_line
from stage.features.hub import CANT_BE_LOADED, loading
from stage.features.protocols import REGIONS_A_FRAME
from stage.features.regions.packaged import box_iou
from stage.runtime.hardware import best_device
from stage.types import Image, Regions

IMAGE_MEAN, IMAGE_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHORTEST_EDGE, LONGEST_EDGE = 800, 1333
SAME_OBJECT = 0.7
"""Queries whose boxes overlap more than this show one object; the better is kept."""


class TransformersDetector:
    """Boxes and labels of a detector's queries; their features are the decoder's last states."""

    def __init__(self, model: Any, settings: dict[str, Any], name: str) -> None:
        self.model = model.eval().to(best_device())
        self.settings = settings
        self._name = name

    @classmethod
    def load(cls, spec: str) -> TransformersDetector:
        """A model folder, or a name on the hub (the only case that may reach for a network).

        Raises InputError if it is not an object detector, or not one with a state for each box.
        """
        folder = Path(spec)
        local = folder.is_dir()
        if not local and (folder.is_absolute() or spec.startswith(".") or spec.count("/") != 1):
            raise InputError(
                f"{spec}: no such detector; give `stage`, a model folder or a hub name (owner/name)"
            )
        from transformers import AutoModelForObjectDetection
        from transformers.utils.hub import cached_file

        try:
            with loading(local=local):
                model = AutoModelForObjectDetection.from_pretrained(
                    spec, local_files_only=local, use_safetensors=True
                )
                found = cached_file(
                    spec,
                    "preprocessor_config.json",
                    local_files_only=local,
                    _raise_exceptions_for_missing_entries=False,
                )
        except CANT_BE_LOADED as error:
            raise InputError(f"{spec}: no object detector could be loaded ({first_line(error)})") from None
        if not hasattr(model.config, "hidden_size") and not hasattr(model.config, "d_model"):
            raise InputError(
                f"{spec}: this kind of detector has no state for each box; use one like DETR or YOLOS"
            )
        name = spec
        if local:
            weights = b"".join(path.read_bytes() for path in sorted(folder.glob("*.safetensors")))
            name = f"{spec}@{hashlib.sha256(weights).hexdigest()[:12]}"
        settings = json.loads(Path(found).read_text()) if found else {}
        return cls(model, settings, name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        config = self.model.config
        return int(getattr(config, "d_model", None) or config.hidden_size)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The 20 best queries of each image by the score of their best class."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Regions:
        output = self.model(pixel_values=self._prepare(image).to(self.model.device))
        probabilities = self._probabilities(output.logits[0].float().cpu())
        scores, kinds = probabilities.max(-1)
        height, width = image.shape[:2]
        boxes = corners(output.pred_boxes[0].float().cpu()) * torch.tensor([width, height, width, height])
        boxes = torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]).float())
        keep = distinct(boxes, scores)
        names = self.model.config.id2label
        return Regions(
            boxes[keep].numpy(),
            scores[keep].numpy(),
            output.last_hidden_state[0, -len(boxes) :].float().cpu()[keep].numpy(),
            tuple(str(names[kind]) for kind in kinds[keep].tolist()),
        )

    def _prepare(self, image: Image) -> Tensor:
        """Scale and normalise as the model's own settings say; done here, as its processors ask for torchvision."""
        size = self.settings.get("size") or {}
        height, width = image.shape[:2]
        if isinstance(size, dict) and "height" in size and "width" in size:
            target = (int(size["width"]), int(size["height"]))
        else:
            shortest = size.get("shortest_edge", SHORTEST_EDGE) if isinstance(size, dict) else int(size)
            longest = size.get("longest_edge", LONGEST_EDGE) if isinstance(size, dict) else LONGEST_EDGE
            scale = min(shortest / min(width, height), longest / max(width, height))
            target = (max(1, round(width * scale)), max(1, round(height * scale)))
        scaled = cv2.resize(image, target, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        if self.settings.get("do_normalize", True):
            mean = np.array(self.settings.get("image_mean", IMAGE_MEAN), np.float32)
            sd = np.array(self.settings.get("image_std", IMAGE_SD), np.float32)
            scaled = (scaled - mean) / sd
        return torch.from_numpy(scaled).permute(2, 0, 1)[None]

    def _probabilities(self, logits: Tensor) -> Tensor:
        """(queries, classes). Models with a class for "nothing" have one output more than labels."""
        if logits.shape[-1] == len(self.model.config.id2label) + 1:
            return logits.softmax(-1)[:, :-1]
        return logits.sigmoid()


def corners(boxes: Tensor) -> Tensor:
    """Middle x, y, width, height -> left, top, right, bottom."""
    middle, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def distinct(boxes: Tensor, scores: Tensor) -> Tensor:
    """The best 20 that do not show what a better one shows; one at least."""
    order = scores.argsort(descending=True)
    overlaps = box_iou(boxes[order], boxes[order]) > SAME_OBJECT
    keep: list[int] = []
    for i in range(len(order)):
        if len(keep) == REGIONS_A_FRAME:
            break
        if not overlaps[i, keep].any():
            keep.append(i)
    return order[keep]
