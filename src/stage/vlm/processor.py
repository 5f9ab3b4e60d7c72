"""Processors of vision-language models of transformers, without torchvision: prompts with pictures to tensors"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from stage.errors import InputError
from stage.features.image_processor import load_image_processor
from stage.features.pretrained import load_tokenizer

WITHOUT_VIDEO = {"smolvlm": "Idefics3Processor"}
"""Kinds of models -> a processor that prepares pictures as their own does, and needs no package for videos."""
NEEDED, OTHER = {"image_processor", "tokenizer"}, {"video_processor", "feature_extractor"}
"""Parts of processors: those for pictures and text, and those for videos and sound, which aren't made."""
SPLITTING = ("do_image_splitting", "crop_to_patches", "do_pan_and_scan")
"""Settings that divide a picture into up to 17, each with as many tokens as a whole frame."""


def load_processor(source: str, model_type: str) -> Any:
    """The processor of the model in a folder, for text and pictures; frames are given to it as pictures.

    Its part for videos would need torchvision. To be called within `stage.features.pretrained.loading`. Raises
    InputError if the model has none, needs more than pictures and text, or isn't trained to be asked anything.
    """
    import transformers

    processors: Any = import_module("transformers.models.auto.processing_auto")
    name = WITHOUT_VIDEO.get(model_type) or processors.PROCESSOR_MAPPING_NAMES.get(model_type)
    kind: Any = getattr(transformers, name or "", None)
    parts = kind.get_attributes() if kind else []
    if not NEEDED <= set(parts) <= NEEDED | OTHER:
        raise InputError(
            f"{source}: models of the kind {model_type!r} need more than pictures and text; use another, such as "
            "Qwen3-VL, SmolVLM, Gemma 3 or InternVL"
        )

    class ForPictures(kind):  # type: ignore[misc]
        """A processor that has no parts for videos and sound."""

        def check_argument_for_proper_class(self, name: str, part: Any) -> Any:
            return None if name in OTHER else super().check_argument_for_proper_class(name, part)

    tokenizer = load_tokenizer(source, local=True)
    images = load_image_processor(source, local=True)
    for setting in SPLITTING:
        if getattr(images, setting, False):
            setattr(images, setting, False)
    settings, _ = kind.get_processor_dict(source, local_files_only=True)
    made = {"image_processor": images, "tokenizer": tokenizer}
    processor = ForPictures.from_args_and_dict([made.get(part) for part in parts], settings)
    template = settings.get("chat_template") or tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not isinstance(template, str):
        raise InputError(
            f"{source}: has no chat template, so it isn't trained to be asked questions; use its version for "
            "instructions (Instruct, -it), or get the whole model"
        )
    processor.chat_template = template
    return processor
