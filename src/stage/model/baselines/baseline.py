"""What baselines share: from their scores to losses and predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.config import SystemConfig
from stage.model.losses import LossSums, LossWeights, answer_loss, attention_loss, draw_pairs, span_loss
from stage.model.outputs import BatchPrediction, ModelOutput
from stage.model.sequences import MASKED
from stage.model.span import SpanLogits, best_spans


@dataclass(frozen=True, slots=True)
class Scored:
    """Answer logits of a system, and the spans and attention scores that it has, if any."""

    logits: Tensor
    """(N, K)"""
    span_logits: SpanLogits | None = None
    """Each (N, K, T); None if the system does not localise."""
    region_scores: Tensor | None = None
    """(N, T, K, L_h, N_o) as those of STAGE; None if the system does not ground words in regions."""
    subtitle_scores: Tensor | None = None
    """(N, T, K, L_h, L_s)"""


class Baseline(nn.Module, ABC):
    """A system to compare STAGE with. It defines how it scores; losses and predictions follow."""

    config: SystemConfig

    @abstractmethod
    def forward(self, batch: Batch) -> Scored:
        """Score the hypotheses of a batch."""

    def loss_sums(self, batch: Batch, weights: LossWeights) -> LossSums:
        """What a batch with targets adds to the losses that the system can be supervised with."""
        return loss_sums_of(self(batch), batch, weights)

    def after_step(self, questions: int) -> None:
        """Called after each training step, with its number of questions: the place to schedule a loss."""

    def answer(self, batch: Batch) -> BatchPrediction:
        """The answer and its evidence. A system that does not localise returns the whole clip as the span."""
        scored: Scored = self(batch)
        span_logits = scored.span_logits or whole_clip(batch.frame_mask, scored.logits.shape[1])
        start, end = span_logits.start.softmax(-1), span_logits.end.softmax(-1)
        no_frames = scored.logits.new_zeros(*span_logits.start.shape, 0)  # a baseline encodes no frames A'
        output = ModelOutput(
            no_frames, batch.frame_mask, span_logits, scored.region_scores, scored.subtitle_scores
        )
        return BatchPrediction(scored.logits, best_spans(start, end), start, end, output)


def loss_sums_of(scored: Scored, batch: Batch, weights: LossWeights) -> LossSums:
    """Answer, span and attention losses, as STAGE's. What the system does not predict isn't supervised."""
    targets = batch.targets
    if targets is None:
        raise ValueError("a batch without targets can't be trained on")
    answer = answer_loss(scored.logits, targets.answer)
    span = attention = answer.new_zeros(())
    if weights.span and scored.span_logits is not None:
        span = span_loss(scored.span_logits, targets)
    if weights.attention and targets.grounding is not None and scored.region_scores is not None:
        pairs = draw_pairs(scored.region_scores.shape, targets.grounding, targets.answer, batch.region_mask)
        attention = attention_loss(scored.region_scores, pairs)
    return LossSums(answer, span, attention, scored.logits, len(batch))


def whole_clip(frame_mask: Tensor, hypotheses: int) -> SpanLogits:
    """Logits of a span from the first frame of each clip to its last, (N, T) -> (N, K, T)."""
    at = torch.arange(frame_mask.shape[1], device=frame_mask.device)
    final = frame_mask.sum(1, keepdim=True) - 1
    start, end = (
        torch.where(here, 0.0, MASKED)[:, None].expand(-1, hypotheses, -1)
        for here in ((at == 0).expand_as(frame_mask), at == final)
    )
    return SpanLogits(start, end)
