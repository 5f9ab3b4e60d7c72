"""all-MiniLM-L6-v2, carried in the package: vectors of words and of sentences, without transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.features.names import PACKAGED_BERT
from stage.features.pretrained import one_line
from stage.features.text.bert_layers import BertLayers
from stage.features.text.minilm_asset import PUBLISHED_WEIGHTS, read_asset
from stage.features.text.wordpieces import MAX_WINDOW, batches, windows_of, word_vectors
from stage.runtime.hardware import best_device
from stage.types import Array

LAYER = -2
"""The hidden state that words are read from."""
SENTENCE_WINDOW = 254
"""Wordpieces of a sentence that are read together; with [CLS] and [SEP], the length that the model is used with."""


class MiniLm:
    """all-MiniLM-L6-v2 as a `TextEncoder`, which also gives vectors of whole sentences."""

    def __init__(self, layers: BertLayers, tokenizer: Any) -> None:
        """tokenizer: of the library tokenizers, without truncation and padding."""
        self.layers = layers
        self.tokenizer = tokenizer
        self._cls, self._sep = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
        self._table: Tensor = layers.weights["embeddings.word_embeddings.weight"]
        self._longest = len(layers.weights["embeddings.position_embeddings.weight"]) - 2

    @classmethod
    def packaged(cls) -> MiniLm:
        """The model whose weights come with the package. Raises InputError if its files were changed."""
        from tokenizers import Tokenizer

        files = read_asset()
        device = best_device()
        weights = {
            name: (value if "_embeddings" in name else value.float()).to(device)
            for name, value in files.weights.items()
        }
        config = files.config
        layers = BertLayers(
            weights, config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"]
        )
        return cls(layers, Tokenizer.from_str(files.tokenizer))

    @property
    def name(self) -> str:
        return f"{PACKAGED_BERT}@{PUBLISHED_WEIGHTS[:12]}"

    @property
    def dim(self) -> int:
        return int(self._table.shape[1])

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[Array]:
        """As in `TextEncoder`: the second-to-last layer, averaged over the wordpieces of a word (Sec. 4.2).

        A text's vectors do not depend on the other texts. A text that is too long for the model is encoded in
        consecutive windows. A word without wordpieces gets zeros. Raises InputError if a text can't be split.
        """
        return word_vectors(texts, self.dim, min(MAX_WINDOW, self._longest), self._split, self._word_states)

    @torch.inference_mode()
    def sentences(self, texts: Sequence[str]) -> Array:
        """A vector of unit length for each text: (texts, dim). Texts alike in meaning have similar ones.

        It is the mean of the last layer over all tokens, [CLS] and [SEP] included, as the model was trained. A longer
        text is read in windows, whose tokens are averaged together; one without wordpieces gets zeros. Raises
        InputError if a text can't be split.
        """
        longest = min(SENTENCE_WINDOW, self._longest)
        windows = []
        for i, text in enumerate(texts):
            pieces = self._encoding(text, split=False).ids
            windows += windows_of(i, pieces, range(len(pieces)), longest)
        sums = np.zeros((len(texts), self.dim), np.float64)
        for batch in batches(windows):
            states = self._states([window.pieces for window in batch], -1)
            for window, tokens in zip(batch, states, strict=True):
                sums[window.text] += tokens.sum(0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: Array = (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return unit

    def _split(self, words: list[str]) -> tuple[list[int], list[int]]:
        encoding = self._encoding(words, split=True)
        return encoding.ids, encoding.word_ids

    def _encoding(self, text: str | list[str], *, split: bool) -> Any:
        with one_line(f"{self.name}: the tokenizer can't split a text into wordpieces"):
            return self.tokenizer.encode(text, is_pretokenized=split, add_special_tokens=False)

    def _word_states(self, batch: Sequence[Sequence[int]]) -> list[Array]:
        return [states[1:-1] for states in self._states(batch, LAYER)]

    def _states(self, batch: Sequence[Sequence[int]], layer: int) -> list[Array]:
        """For each window (tokens, dim), with [CLS] and [SEP], after the layer of this number from the end."""
        longest = max(map(len, batch)) + 2
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, pieces in zip(ids, batch, strict=True):
            row[: len(pieces) + 2] = torch.tensor([self._cls, *pieces, self._sep])
        lengths = torch.tensor([len(pieces) + 2 for pieces in batch])
        real = torch.arange(longest) < lengths[:, None]
        states = self.layers.hidden_states(ids.to(self._table.device), real.to(self._table.device))
        state = next(states)
        for _ in range(self.layers.layers + 1 + layer):
            state = next(states)
        found = state.cpu().numpy()
        return [found[i, : len(pieces) + 2] for i, pieces in enumerate(batch)]
