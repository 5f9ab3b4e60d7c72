"""Span predictor, span proposals, and pooling over spans (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stage.model.ops.dropout import Dropout
from stage.model.sequences import MASKED


@dataclass(frozen=True, slots=True)
class SpanLogits:
    """Logits of each frame being the start, or the end, of the span; -1e10 beyond the clip. Each (N, K, T)."""

    start: Tensor
    end: Tensor


@dataclass(frozen=True, slots=True)
class Spans:
    """Frame positions, both ends included, and the score p_start * p_end. All of the same shape."""

    start: Tensor
    end: Tensor
    score: Tensor


class Scorer(nn.Sequential):
    """LayerNorm, dropout, linear map: (..., dim) -> (..., output_dim)."""

    def __init__(self, dim: int, output_dim: int, dropout: float) -> None:
        super().__init__(nn.LayerNorm(dim), Dropout(dropout), nn.Linear(dim, output_dim))


class SpanPredictor(nn.Module):
    """Start and end logits of every frame, for each hypothesis."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection = Scorer(dim, dim, dropout)
        self.start = Scorer(dim, 1, dropout)
        self.end = Scorer(dim, 1, dropout)

    def forward(self, frames: Tensor, frame_mask: Tensor) -> tuple[Tensor, SpanLogits]:
        """frames A: (N, K, T, d), frame_mask: (N, T) -> further encoded frames (N, K, T, d), and the logits."""
        encoded = frames + torch.relu(self.projection(frames))
        beyond = ~frame_mask[:, None]
        return encoded, SpanLogits(
            start=self.start(encoded).squeeze(-1).float().masked_fill(beyond, MASKED),
            end=self.end(encoded).squeeze(-1).float().masked_fill(beyond, MASKED),
        )


def best_spans(start: Tensor, end: Tensor) -> Spans:
    """The pair start <= end with the largest product of probabilities.

    start, end: (..., T) probabilities. Ties go to the earliest end, then to the earliest start: the order of the
    release, which scans over ends and keeps the best start so far.
    """
    best_start, best_start_at = first_running_maximum(start)
    score, end_at = (best_start * end).max(dim=-1)
    # max() may return any of several equal maxima; argmax of the equality returns the first.
    end_at = (best_start * end == score[..., None]).int().argmax(dim=-1)
    return Spans(best_start_at.gather(-1, end_at[..., None]).squeeze(-1), end_at, score)


OVERLAP_WINDOW = 64
"""Frames around the most probable span among which the span of the largest expected overlap is searched."""


def overlapping_spans(start: Tensor, end: Tensor) -> Spans:
    """The span of the largest expected IoU with the true one, under the given probabilities of start and end.

    The pair with the largest product is often too short: it is one of many likely pairs. This span is chosen by all
    of them. start, end: (..., T) probabilities. The score is the expected IoU.
    """
    frames = start.shape[-1]
    likely = best_spans(start, end)
    window = min(frames, OVERLAP_WINDOW)
    first = ((likely.start + likely.end - window) // 2 + 1).clamp(0, frames - window)
    at = first[..., None] + torch.arange(window, device=start.device)
    begins, ends = torch.triu_indices(window, window, device=start.device)
    iou = span_iou(begins[:, None], ends[:, None], begins, ends)
    probable = start.gather(-1, at)[..., begins] * end.gather(-1, at)[..., ends]
    score, best = (probable @ iou).max(dim=-1)
    return Spans(first + begins[best], first + ends[best], score)


def first_running_maximum(x: Tensor) -> tuple[Tensor, Tensor]:
    """Running maximum along the last axis, and the position where each was first reached."""
    maximum = x.cummax(dim=-1).values
    steps = torch.arange(x.shape[-1], device=x.device).expand_as(x)
    rises = torch.ones_like(x, dtype=torch.bool)
    rises[..., 1:] = maximum[..., 1:] > maximum[..., :-1]
    return maximum, torch.where(rises, steps, 0).cummax(dim=-1).values


def span_iou(start: Tensor, end: Tensor, true_start: Tensor, true_end: Tensor) -> Tensor:
    """IoU of spans in frame positions, both ends included."""
    intersection = (torch.minimum(end, true_end) - torch.maximum(start, true_start) + 1).clamp(min=0)
    union = torch.maximum(end, true_end) - torch.minimum(start, true_start) + 1
    return intersection / union


def pool_span(frames: Tensor, start: Tensor, end: Tensor, frame_mask: Tensor, margin: int) -> Tensor:
    """Maximum over the frames of a span widened by `margin`, within the clip.

    frames: (N, K, T, d); start, end: (N, K); frame_mask: (N, T) -> (N, K, d)
    """
    at = torch.arange(frames.shape[2], device=frames.device)
    inside = (at >= start[..., None] - margin) & (at <= end[..., None] + margin) & frame_mask[:, None]
    return frames.masked_fill(~inside[..., None], MASKED).amax(dim=2)
