"""BERT's layers in plain PyTorch: the hidden states of tokens, from the weights as transformers names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class BertLayers:
    """The encoder of BERT (Devlin et al., 2019), for inference."""

    weights: Mapping[str, Tensor]
    """By their names in a checkpoint of transformers' BertModel. Embeddings may be in half precision: only the rows
    that are looked up become float32."""
    layers: int
    heads: int
    epsilon: float
    """Of LayerNorm."""

    def hidden_states(self, ids: Tensor, real: Tensor) -> Iterator[Tensor]:
        """The states before the first layer and after each one, (batch, length, dim) in float32.

        ids: (batch, length); real: (batch, length), true where a token is no padding. A layer is computed when its
        state is asked for.
        """
        positions = torch.arange(ids.shape[1], device=ids.device)
        state = self._rows("word", ids) + self._rows("token_type", torch.zeros_like(positions))
        state = state + self._rows("position", positions)
        state = self._normalised("embeddings.LayerNorm", state)
        yield state
        for layer in range(self.layers):
            state = self._layer(f"encoder.layer.{layer}", state, real[:, None, None])
            yield state

    def _layer(self, name: str, state: Tensor, seen: Tensor) -> Tensor:
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", state)
            .unflatten(-1, (self.heads, -1))
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        mixed = self._linear(f"{name}.attention.output.dense", attended.transpose(1, 2).flatten(2))
        state = self._normalised(f"{name}.attention.output.LayerNorm", state + mixed)
        inner = F.gelu(self._linear(f"{name}.intermediate.dense", state))
        return self._normalised(
            f"{name}.output.LayerNorm", state + self._linear(f"{name}.output.dense", inner)
        )

    def _rows(self, table: str, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.weights[f"embeddings.{table}_embeddings.weight"]).float()

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normalised(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias, self.epsilon)
