"""QA-guided attention and video-text fusion (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage.model.dropout import Dropout

MASKED = -1e10


@dataclass(frozen=True, slots=True)
class Attended:
    """What a hypothesis found in one context (regions or subtitle words), at each frame."""

    joint: Tensor
    """(N, T, K, L_h, d): the QA-aware representation of the context."""
    scores: Tensor
    """(N, T, K, L_h, C): cosine similarity of hypothesis word and context element; -1e10 where one is padded."""


class QAGuidedAttention(nn.Module):
    """From hypothesis words to regions or to subtitle words; one set of weights serves both contexts."""

    def __init__(self, dim: int, dropout: float, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = Dropout(dropout)
        self.projection = nn.Sequential(
            nn.LayerNorm(3 * dim), Dropout(dropout), nn.Linear(3 * dim, dim), nn.ReLU()
        )

    def forward(self, words: Tensor, context: Tensor, word_mask: Tensor, context_mask: Tensor) -> Attended:
        """words: (N, K, L_h, d), context: (N, T, C, d), masks without the last axis."""
        n, k, length, dim = words.shape
        frames, elements = context.shape[1:3]
        flat_words = words.reshape(n, 1, k * length, dim)
        similarity = self._unit(flat_words) @ self._unit(context).transpose(-1, -2)
        real = word_mask.reshape(n, 1, k * length, 1) & context_mask[:, :, None, :]
        scores = similarity.float().masked_fill(~real, MASKED)
        # A row that is padded throughout comes out of the softmax uniform and must not carry anything on.
        weights = torch.softmax(self.scale * scores, dim=-1) * real
        attended = weights.to(context.dtype) @ context
        hypothesis = flat_words.expand(n, frames, k * length, dim)
        joint = self.projection(torch.cat([hypothesis, attended, hypothesis * attended], dim=-1))
        return Attended(joint.view(n, frames, k, length, dim), scores.view(n, frames, k, length, elements))

    def _unit(self, x: Tensor) -> Tensor:
        normalised: Tensor = self.dropout(F.normalize(x, dim=-1))
        return normalised


class VideoTextFusion(nn.Module):
    """Aligned fusion of the two QA-aware representations of a frame: two (..., d) -> (..., d)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection = nn.Sequential(
            nn.LayerNorm(3 * dim), Dropout(dropout), nn.Linear(3 * dim, dim), nn.ReLU(), nn.LayerNorm(dim)
        )

    def forward(self, subtitles: Tensor, video: Tensor) -> Tensor:
        fused: Tensor = self.projection(torch.cat([subtitles, video, subtitles * video], dim=-1))
        return fused
