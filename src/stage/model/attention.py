"""QA-guided attention and video-text fusion (Sec. 4.2)."""

from __future__ import annotations

from torch import Tensor, nn

from stage.model.ops.attention_weights import attention_weights
from stage.model.ops.concat_projection import ConcatProjection
from stage.model.ops.dropout import Dropout
from stage.model.ops.gather import gather_rows
from stage.model.ops.l2_norm import l2_normalise
from stage.model.ops.layer_norm import normalise
from stage.model.ops.matmul import batched_matmul
from stage.model.sequences import PaddedSequences, Repeated


class QAGuidedAttention(nn.Module):
    """From the words of hypotheses to regions, or to subtitle words; one set of weights serves both contexts."""

    def __init__(self, dim: int, dropout: float, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = Dropout(dropout)
        self.projection = ConcatProjection(dim, dropout)

    def forward(
        self, hypotheses: PaddedSequences, index: Tensor, context: PaddedSequences
    ) -> tuple[Tensor, Tensor]:
        """Attend from the hypotheses of question index[p] to context p, for P contexts.

        hypotheses: (n, K, L_h, d) of n questions; index: (P,); context: (P, C, d). Returns the QA-aware
        representation of each context, (P, K L_h, d), and the scores M, (P, K L_h, C): the cosine similarity of word
        and context element, -1e10 where either is padding.
        """
        words = hypotheses.joined()
        h, v = words.values, context.values
        unit_h = gather_rows(l2_normalise(h, self.dropout), index)
        unit_v = l2_normalise(v, self.dropout)
        similarity = batched_matmul(unit_h, unit_v.transpose(1, 2))
        scores, weights = attention_weights(similarity, words.mask[index], context.mask, self.scale)
        # ReLU([h; u; h * u] W + b), where u = weights @ v is what a word finds in the context
        return self.projection(Repeated(h, index), v, weights), scores


class VideoTextFusion(nn.Module):
    """Fusion of the two QA-aware representations of a frame: F = LayerNorm(ReLU([S; V; S * V] W_F + b_F))."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection = ConcatProjection(dim, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, subtitles: Repeated, video: Tensor) -> Tensor:
        """subtitles: (B, Q, d), shared by frames with the same sentences; video: (B, Q, d) -> (B, Q, d)."""
        return normalise(self.projection(subtitles, video), self.norm)
