"""Image processors of transformers: how a model's images are prepared, without torchvision"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from stage.errors import InputError
from stage.features.pretrained import one_line
from stage.features.pretrained_files import PROCESSOR_FILES, has_any
from stage.types import Image


def load_image_processor(source: str, *, local: bool) -> Any:
    """The image processor of a model, in its PIL version: those of torchvision are another large dependency.

    To be called within `stage.features.pretrained.loading`. Raises InputError if the model has no settings of one.
    """
    from transformers import AutoImageProcessor

    if not has_any(source, PROCESSOR_FILES, local=local):
        raise InputError(
            f"{source}: has no {PROCESSOR_FILES[0]}, which says how images are prepared; get the whole model"
        )
    auto: Any = AutoImageProcessor
    return auto.from_pretrained(source, backend="pil", local_files_only=local, trust_remote_code=False)


def prepare(processor: Any, image: Image, name: str) -> dict[str, Tensor]:
    """The tensors that a model gets of an image, each with a first dimension of 1: "pixel_values", and masks.

    name: of the model, for messages. Raises InputError if the settings can't be used for an image of this size.
    """
    height, width = image.shape[:2]
    with (
        one_line(f"{name}: {PROCESSOR_FILES[0]} prepares no image of {width} x {height} pixels"),
        np.errstate(divide="ignore", invalid="ignore"),
    ):
        prepared = dict(processor(images=image, input_data_format="channels_last", return_tensors="pt"))
        prepared["pixel_values"] = prepared[
            "pixel_values"
        ].float()  # without do_rescale they are whole numbers
    if not bool(prepared["pixel_values"].isfinite().all()):
        raise InputError(
            f"{name}: {PROCESSOR_FILES[0]} makes pixels infinite; correct image_std or rescale_factor"
        )
    return prepared
