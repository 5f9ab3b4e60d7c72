"""Attention scores and their masked softmax, as one operation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from stage.model.ops.compiled import fused
from stage.model.sequences import MASKED


def attention_weights(
    similarity: Tensor, word_mask: Tensor, context_mask: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Scores in float32, -1e10 where a word or an element is padding, and softmax(scale * scores) over the elements.

    similarity: (P, Q, C), word_mask: (P, Q), context_mask: (P, C) -> twice (P, Q, C)
    """
    found: tuple[Tensor, Tensor] = _Weights.apply(  # type: ignore[no-untyped-call]
        similarity, word_mask.to(torch.uint8), context_mask.to(torch.uint8), scale
    )
    return found


class _Weights(Function):
    @staticmethod
    def forward(
        ctx: Any, similarity: Tensor, word_mask: Tensor, context_mask: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        scores, weights = _softmax(similarity, word_mask, context_mask, scale)
        ctx.save_for_backward(weights, word_mask, context_mask)
        ctx.scale = scale
        ctx.set_materialize_grads(False)
        return scores, weights

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        weights, word_mask, context_mask = ctx.saved_tensors
        of_scores, of_weights = grads
        assert of_weights is not None
        return (
            _softmax_back(of_scores, of_weights, weights, word_mask, context_mask, ctx.scale),
            None,
            None,
            None,
        )


@fused
def _softmax(
    similarity: Tensor, word_mask: Tensor, context_mask: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    real = word_mask[:, :, None] * context_mask[:, None]
    scores = torch.where(real > 0, similarity.float(), MASKED)
    # The softmax of a row of padding alone is uniform, and must not pass anything on.
    return scores, (torch.softmax(scale * scores, dim=-1) * real).to(similarity.dtype)


@fused
def _softmax_back(
    of_scores: Tensor | None,
    of_weights: Tensor,
    weights: Tensor,
    word_mask: Tensor,
    context_mask: Tensor,
    scale: float,
) -> Tensor:
    real = word_mask[:, :, None] * context_mask[:, None]
    weighted = of_weights.float() * weights
    back = scale * (weighted - weights * weighted.sum(-1, keepdim=True))
    return ((back if of_scores is None else back + of_scores) * real).to(weights.dtype)
