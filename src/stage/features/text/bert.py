"""BERT word vectors: second-to-last layer, averaged over wordpieces (Sec. 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stage.errors import InputError
from stage.features.pretrained import (
    LEAST_POSITIONS,
    POOLER,
    load_tokenizer,
    load_weights,
    loading,
    name_of_folder,
    one_line,
)
from stage.features.pretrained_files import check_files
from stage.features.text.wordpieces import MAX_WINDOW, word_vectors
from stage.runtime.hardware import best_device
from stage.types import Array

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.*",
    "merges.txt", "*.model",
)  # fmt: skip
"""Patterns of the files that a tokenizer is read from."""
LAYER = -2


class BertEncoder:
    """A frozen text encoder of transformers with its fast tokenizer, as a `TextEncoder`."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval().to(best_device())
        self.tokenizer = tokenizer
        self._name = name

    @classmethod
    def load(cls, spec: str) -> BertEncoder:
        """Load a model folder, or a model from the hub, the only case that uses the network.

        Raises InputError if there is no such text encoder, its weights are incomplete or its tokenizer can't be used.
        """
        folder = Path(spec)
        if folder.is_dir():
            check_files(spec, local=True)
            return cls._from_pretrained(spec, name_of_folder(folder, TOKENIZER_FILES), local=True)
        if folder.is_absolute() or spec.startswith(".") or spec.count("/") > 1:
            raise InputError(
                f"{spec}: no such file or folder; give a GloVe file, a BERT folder or a hub name"
            )
        return cls._from_pretrained(spec, spec, local=False)

    @classmethod
    def _from_pretrained(cls, source: str, name: str, *, local: bool) -> BertEncoder:
        from transformers import AutoModel

        with loading(source, "text encoder", local=local):
            tokenizer = load_tokenizer(source, local=local)
            model = load_weights(AutoModel, source, local=local, optional=(POOLER,))
            _check_usable(model, tokenizer, source)
        encoder = cls(model, tokenizer, name)
        encoder.encode(["a"])
        return encoder

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[Array]:
        """As in `TextEncoder`. A text's vectors do not depend on the other texts.

        A text that is too long for the model is encoded in consecutive windows. A word without wordpieces gets zeros.
        Raises InputError if the tokenizer or the model can't process a text.
        """
        longest = min(MAX_WINDOW, self.model.config.max_position_embeddings - 2)
        return word_vectors(texts, self.dim, longest, self._split, self._run)

    def _split(self, words: list[str]) -> tuple[list[int], list[int]]:
        with one_line(f"{self.name}: the tokenizer can't split a text into wordpieces"):
            encoded = self.tokenizer(  # not verbose: longer texts than the model reads are cut into windows
                words, is_split_into_words=True, add_special_tokens=False, verbose=False
            )
            return encoded["input_ids"], encoded.word_ids()

    def _run(self, batch: Sequence[Sequence[int]]) -> list[Array]:
        with one_line(f"{self.name}: the model can't encode a text as its tokenizer splits it"):
            return self._states(batch)

    def _states(self, batch: Sequence[Sequence[int]]) -> list[Array]:
        """For each window (wordpieces, dim), without special tokens."""
        longest = max(map(len, batch)) + 2
        ids = torch.full((len(batch), longest), self.tokenizer.pad_token_id or 0)
        for row, pieces in zip(ids, batch, strict=True):
            row[: len(pieces) + 2] = torch.tensor(
                [self.tokenizer.cls_token_id, *pieces, self.tokenizer.sep_token_id]
            )
        mask = torch.arange(longest) < torch.tensor([len(pieces) + 2 for pieces in batch])[:, None]
        if (highest := int(ids.max())) >= (rows := self.model.get_input_embeddings().num_embeddings):
            raise ValueError(f"it has a wordpiece with the number {highest}, and the model {rows} embeddings")
        device = self.model.device
        output = self.model(
            input_ids=ids.to(device), attention_mask=mask.long().to(device), output_hidden_states=True
        )
        hidden: Tensor = output.hidden_states[LAYER].float().cpu()
        if hidden.shape != (*ids.shape, self.dim):
            raise ValueError(f"its vectors are {tuple(hidden.shape)}, not {(*ids.shape, self.dim)}")
        if not bool(hidden.isfinite().all()):
            raise ValueError("its vectors are not finite (NaN)")
        return [hidden[i, 1 : 1 + len(pieces)].numpy() for i, pieces in enumerate(batch)]


def _check_usable(model: Any, tokenizer: Any, source: str) -> None:
    """Raises InputError if a model and its tokenizer can't encode the words of a text."""
    if not tokenizer.is_fast or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise InputError(
            f"{source}: needs a fast tokenizer with [CLS] and [SEP], as that of BERT; use another model"
        )
    for size, least in (("max_position_embeddings", LEAST_POSITIONS), ("hidden_size", 1)):
        if not isinstance(value := getattr(model.config, size, None), int) or value < least:
            raise InputError(
                f"{source}: config.json has no {size} of {least} or more; use an encoder like BERT"
            )
    rows = model.get_input_embeddings().num_embeddings
    if tokenizer.vocab_size > rows:
        raise InputError(
            f"{source}: the tokenizer has {tokenizer.vocab_size} wordpieces, but the model has embeddings of {rows}; "
            "use the tokenizer that the model was trained with"
        )
