"""Image-text encoders of transformers: CLIP, SigLIP and SigLIP 2; images and texts as vectors of one space"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError
from stage.features.image_processor import load_image_processor, prepare
from stage.features.pretrained import (
    Source,
    load_tokenizer,
    load_weights,
    loading,
    name_of_folder,
    one_line,
)
from stage.features.pretrained_files import PROCESSOR_FILES, TOKENIZER_FILES, VOCABULARIES
from stage.runtime.hardware import best_device
from stage.types import Array, Image
from stage.wording import quoted

CLIP, SIGLIP = "clip", ("siglip", "siglip2")
"""Kinds of models, as in their config.json. The models of SigLIP 2 for images of one size are "siglip" as well."""
FIRST_EOS_OF_CLIP = 2
"""The number of the end of a text in configurations of the first CLIP models, which look for the highest instead."""
IMAGES_PER_BATCH, TEXTS_PER_BATCH = 8, 64
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ImageTextModel:
    """An image-text encoder of transformers with its tokenizer, as an `ImageTextEncoder`.

    Images are prepared as the model's settings say: SigLIP sees all of an image, stretched to a square; the NaFlex
    models of SigLIP 2 see all of it in its own shape; CLIP sees the largest square in its middle.
    """

    def __init__(self, model: Any, tokenizer: Any, processor: Any, name: str) -> None:
        """processor: the image processor that the model was trained with. Raises InputError if they don't fit."""
        self.model = model.eval().to(best_device())
        self.tokenizer, self.processor = tokenizer, processor
        self.longest = int(model.config.text_config.max_position_embeddings)
        self._name = name
        self._cut: dict[str, None] = {}
        self._check_end()
        self._dim: int = self._encode_texts(["a"]).shape[1]

    @classmethod
    def load(cls, spec: str) -> ImageTextModel:
        """Load a model folder, or a model of the hub by its name: from the network unless it was downloaded before.

        Raises InputError if it is no such encoder, or is incomplete: weights, tokenizer, preparation of images.
        """
        source, local = Source.of(spec, "image-text encoder", (VOCABULARIES, PROCESSOR_FILES))
        from transformers import AutoModel

        with loading(source, "image-text encoder", local=local) as config:
            if config.model_type not in (CLIP, *SIGLIP):
                raise InputError(
                    f"{spec}: is a model of the kind {quoted(config.model_type)}, which does not compare images with "
                    "texts; use SigLIP 2, SigLIP or CLIP"
                )
            tokenizer = load_tokenizer(source, local=local)
            model = load_weights(AutoModel, source, local=local)
            processor = load_image_processor(source, local=local)
        folder = Path(spec)
        name = name_of_folder(folder, (*PROCESSOR_FILES, *TOKENIZER_FILES)) if folder.is_dir() else spec
        prepare(processor, np.full((360, 640, 3), 127, np.uint8), name)
        return cls(model, tokenizer, processor, name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def logit_scale(self) -> float:
        """As in `ImageTextEncoder`."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        """As in `ImageTextEncoder`."""
        return float(self.model.logit_bias.detach()) if self._is_siglip else None

    @property
    def notes(self) -> tuple[str, ...]:
        """As in `ImageTextEncoder`."""
        return tuple(
            f"{quoted(text)} is too long for the image-text encoder, which reads its first {self.longest} wordpieces"
            for text in self._cut
        )

    def images(self, images: Sequence[Image]) -> Array:
        """As in `ImageTextEncoder`.

        Raises InputError if an image can't be prepared as the processor's settings say, or not be encoded then.
        """
        batches = (self._encode_images(batch) for batch in _batches(images, IMAGES_PER_BATCH))
        return np.concatenate([np.zeros((0, self.dim), np.float32), *batches])

    def texts(self, texts: Sequence[str]) -> Array:
        """As in `ImageTextEncoder`. Raises InputError if a text can't be encoded."""
        batches = (self._encode_texts(batch) for batch in _batches(texts, TEXTS_PER_BATCH))
        return np.concatenate([np.zeros((0, self.dim), np.float32), *batches])

    @property
    def _is_siglip(self) -> bool:
        return self.model.config.model_type in SIGLIP

    @torch.inference_mode()
    def _encode_images(self, images: Sequence[Image]) -> Array:
        prepared = [prepare(self.processor, image, self.name) for image in images]
        with one_line(f"{self.name}: the model can't encode images prepared as its settings say"):
            batch = {key: torch.cat([one[key] for one in prepared]) for key in prepared[0]}
            output = self.model.get_image_features(
                **{key: values.to(self.model.device) for key, values in batch.items()}
            )
            return _unit(output.pooler_output, (len(images), self.dim))

    @torch.inference_mode()
    def _encode_texts(self, texts: Sequence[str]) -> Array:
        with one_line(f"{self.name}: the tokenizer can't split a text into wordpieces"):
            rows = [self._pieces(text) for text in texts]
        # SigLIP is trained without a mask, on texts that are padded to the full length.
        length = self.longest if self._is_siglip else max(map(len, rows))
        ids = torch.full((len(rows), length), self.tokenizer.pad_token_id or 0)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        inputs = {"input_ids": ids}
        if not self._is_siglip:
            inputs["attention_mask"] = (
                torch.arange(length) < torch.tensor([[len(row)] for row in rows])
            ).long()
        with one_line(f"{self.name}: the model can't encode a text as its tokenizer splits it"):
            if (highest := int(ids.max())) >= (known := self.model.config.text_config.vocab_size):
                raise ValueError(
                    f"it has a wordpiece with the number {highest}, and the model {known} embeddings"
                )
            output = self.model.get_text_features(
                **{key: values.to(self.model.device) for key, values in inputs.items()}
            )
            return _unit(output.pooler_output, (len(texts), output.pooler_output.shape[-1]))

    def _pieces(self, text: str) -> list[int]:
        """The wordpieces of a text with special tokens, as in training: CLIP [start, .., end], SigLIP [.., end]."""
        tokenizer, start = self.tokenizer, [] if self._is_siglip else [self.tokenizer.bos_token_id]
        written = text.lower() if self._is_siglip else text
        if self._is_siglip and tokenizer.pad_token_id == tokenizer.eos_token_id:  # that of the first SigLIP
            written = " ".join(written.translate(NO_PUNCTUATION).split())
        pieces = tokenizer(written, add_special_tokens=False, verbose=False)["input_ids"]
        room = self.longest - len(start) - 1
        if len(pieces) > room:
            self._cut[text] = None
        return [*start, *pieces[:room], tokenizer.eos_token_id]

    def _check_end(self) -> None:
        """Raises InputError if the model couldn't find the end of a text, from which CLIP takes its vector."""
        end, expected = self.tokenizer.eos_token_id, self.model.config.text_config.eos_token_id
        needed = ("eos_token", "pad_token") if self._is_siglip else ("eos_token", "bos_token")
        if missing := [name for name in needed if getattr(self.tokenizer, f"{name}_id") is None]:
            raise InputError(
                f"{self.name}: its tokenizer has no {missing[0]}; use the one that the model was trained with"
            )
        if not self._is_siglip and expected not in (FIRST_EOS_OF_CLIP, end):
            raise InputError(
                f"{self.name}: its tokenizer ends a text with the number {end}, and config.json says {expected}; use "
                "the tokenizer that the model was trained with"
            )


def _unit(vectors: Tensor, shape: tuple[int, int]) -> Array:
    """Vectors (n, dim) scaled to unit length. Raises ValueError if one can't be, or they have another shape."""
    if tuple(vectors.shape) != shape:
        raise ValueError(f"its vectors are {tuple(vectors.shape)}, not {shape}")
    rows: Array = vectors.float().cpu().numpy()
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("its vectors are not finite (NaN), or zero")
    unit: Array = rows / lengths
    return unit


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
