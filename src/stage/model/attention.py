"""QA-guided attention and video-text fusion (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage.model.dropout import Dropout
from stage.model.joint import JointProjection, joint_map
from stage.model.sequences import Sequences

MASKED = -1e10


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
        self.projection = JointProjection(dim, dropout)

    def forward(self, asked: Sequences, contexts: Sequences) -> Attended:
        """asked: (P or 1, Q, d) words of hypotheses; contexts: (P, C, d)."""
        words, context = asked.values, contexts.values
        similarity = self._unit(words) @ self._unit(context).transpose(-1, -2)
        real = asked.mask[:, :, None] & contexts.mask[:, None, :]
        scores = similarity.float().masked_fill(~real, MASKED)
        # A row that is padded throughout comes out of the softmax uniform and must not carry anything on.
        weights = (torch.softmax(self.scale * scores, dim=-1) * real).to(context.dtype)
        split = self.projection.split(context.dtype)
        # The map of an attended context is the attended map of the context, and that has fewer rows.
        attended, attended_mapped = weights @ context, weights @ (context @ split.second.T)
        joint = joint_map(words, attended, words @ split.first.T, attended_mapped, split)
        return Attended(joint, scores)

    def _unit(self, x: Tensor) -> Tensor:
        normalised: Tensor = self.dropout(F.normalize(x, dim=-1))
        return normalised


class VideoTextFusion(nn.Module):
    """Aligned fusion of the two QA-aware representations of a frame."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection = JointProjection(dim, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, dialogue: Tensor, of_frame: Tensor, video: Tensor) -> Tensor:
        """dialogue: (P, Q, d) of different pieces of dialogue; of_frame: (F,) whose it is; video: (F, Q, d).

        Returns (F, Q, d).
        """
        split = self.projection.split(video.dtype)
        said, said_mapped = dialogue[of_frame], (dialogue @ split.first.T)[of_frame]
        fused: Tensor = self.norm(joint_map(said, video, said_mapped, video @ split.second.T, split))
        return fused
