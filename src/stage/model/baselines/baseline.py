"""What all baselines share: how a score becomes losses in training and an answer at inference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.config import SystemConfig
from stage.model.execution.padding import MASKED
from stage.model.losses import Losses, LossWeights, answer_loss, attention_loss, draw_pairs, span_loss
from stage.model.span import SpanLogits, best_spans
from stage.model.stage import BatchPrediction, ModelOutput


@dataclass(frozen=True, slots=True)
class Scored:
    """Answer logits, and what else a system found on its way to them."""

    logits: Tensor
    """(N, K)"""
    span_logits: SpanLogits | None = None
    """Each (N, K, T); none if the system does not localise."""
    region_scores: Tensor | None = None
    """(N, T, K, L_h, N_o) as those of STAGE; none if the system does not ground words in regions."""
    subtitle_scores: Tensor | None = None
    """(N, T, K, L_h, L_s)"""


class Baseline(nn.Module, ABC):
    """A system beside STAGE. It says how it scores; losses and answers follow."""

    config: SystemConfig

    @abstractmethod
    def forward(self, batch: Batch) -> Scored:
        """Score the hypotheses of a batch."""

    def losses(self, batch: Batch, weights: LossWeights) -> tuple[Losses, Tensor]:
        """All losses of a batch with targets, as far as the system can be supervised; and its answer logits."""
        scored: Scored = self(batch)
        return losses_of(scored, batch, weights), scored.logits

    def answer(self, batch: Batch) -> BatchPrediction:
        """The answer and its evidence. A system that does not localise gives the whole clip as the span."""
        scored: Scored = self(batch)
        found = scored.span_logits or whole_clip(batch.frame_mask, scored.logits.shape[1])
        start, end = found.start.softmax(-1), found.end.softmax(-1)
        no_frames = scored.logits.new_zeros(
            *found.start.shape, 0
        )  # frames aren't seen by each hypothesis here
        grounded = ModelOutput(
            no_frames, batch.frame_mask, found, scored.region_scores, scored.subtitle_scores
        )
        return BatchPrediction(scored.logits, best_spans(start, end), start, end, grounded)


def losses_of(scored: Scored, batch: Batch, weights: LossWeights) -> Losses:
    """Answer, span and attention losses, as STAGE's. What the system does not find isn't supervised."""
    targets = batch.targets
    if targets is None:
        raise ValueError("a batch without targets can't be trained on")
    answer = answer_loss(scored.logits, targets.answer, len(batch))
    span = attention = answer.new_zeros(())
    if weights.span and scored.span_logits is not None:
        span = span_loss(scored.span_logits, targets)
    if weights.attention and targets.grounding is not None and scored.region_scores is not None:
        pairs = draw_pairs(scored.region_scores.shape, targets.grounding, targets.answer, batch.region_mask)
        attention = attention_loss(scored.region_scores, pairs)
    return Losses(answer, span, attention, answer + weights.span * span + weights.attention * attention)


def whole_clip(frame_mask: Tensor, hypotheses: int) -> SpanLogits:
    """Logits of a span from the first frame of each clip to its last, (N, T) -> (N, K, T)."""
    at = torch.arange(frame_mask.shape[1], device=frame_mask.device)
    final = frame_mask.sum(1, keepdim=True) - 1
    start, end = (
        torch.where(here, 0.0, MASKED)[:, None].expand(-1, hypotheses, -1)
        for here in ((at == 0).expand_as(frame_mask), at == final)
    )
    return SpanLogits(start, end)
