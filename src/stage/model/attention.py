"""QA-guided attention and video-text fusion (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function

from stage.model.execution.padding import MASKED, PaddedSequences, gather_rows
from stage.model.ops.compiled import fused
from stage.model.ops.concat_projection import ConcatProjection, project_concat
from stage.model.ops.dropout import Dropout
from stage.model.ops.layer_norm import l2_normalise, normalise
from stage.model.ops.matmul import batched_matmul, linear


@dataclass(frozen=True, slots=True)
class Attended:
    """What hypotheses found in contexts (regions of a frame, or words of its sentences). P pairs of the two."""

    joint: Tensor
    """(P, Q, d): the QA-aware representation of the context, for each of the Q words of all hypotheses."""
    scores: Tensor
    """(P, Q, C): cosine similarity of hypothesis word and context element; -1e10 where one is padded."""


class QAGuidedAttention(nn.Module):
    """From hypothesis words to regions or to subtitle words; one set of weights serves both contexts."""

    def __init__(self, dim: int, dropout: float, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = Dropout(dropout)
        self.projection = ConcatProjection(dim, dropout)

    def forward(self, asked: PaddedSequences, of_row: Tensor, contexts: PaddedSequences) -> Attended:
        """asked: (n, Q, d) words of hypotheses; contexts: (P, C, d); of_row: (P,) who encodings at each."""
        words, context = asked.values, contexts.values
        looking = gather_rows(l2_normalise(words, self.dropout), of_row)
        similarity = batched_matmul(looking, l2_normalise(context, self.dropout).transpose(1, 2))
        scores, weights = _weigh(similarity, asked.mask[of_row], contexts.mask, self.scale)
        split = self.projection.split(context.dtype)
        # The map of an attended context is the attended map of the context, and that has fewer rows.
        attended, attended_mapped = (
            batched_matmul(weights, c) for c in (context, linear(context, split.second))
        )
        joint = project_concat(words, of_row, attended, linear(words, split.first), attended_mapped, split)
        return Attended(joint, scores)


class VideoTextFusion(nn.Module):
    """Aligned fusion of the two QA-aware representations of a frame."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection = ConcatProjection(dim, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, dialogue: Tensor, of_frame: Tensor, video: Tensor) -> Tensor:
        """dialogue: (P, Q, d) of different pieces of dialogue; of_frame: (F,) whose it is; video: (F, Q, d).

        Returns (F, Q, d).
        """
        split = self.projection.split(video.dtype)
        mapped = linear(dialogue, split.first), linear(video, split.second)
        return normalise(project_concat(dialogue, of_frame, video, *mapped, split), self.norm)


def _weigh(
    similarity: Tensor, word_mask: Tensor, context_mask: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Scores in float32, -1e10 where a word or an element is padded, and their softmax over the elements.

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
    # A row that is padded throughout comes out of the softmax uniform and must not carry anything on.
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
    pull = of_weights.float() * weights
    back = scale * (pull - weights * pull.sum(-1, keepdim=True))
    return ((back if of_scores is None else back + of_scores) * real).to(weights.dtype)
