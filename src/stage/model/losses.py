"""The losses of STAGE (Sec. 4.3): answer, span and attention loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stage.data.batch import NO_SPAN, Batch, GroundingTargets, Targets
from stage.model.outputs import ModelOutput
from stage.model.span import SpanLogits, best_spans, span_iou
from stage.model.stage import Stage

NEGATIVES = 2
"""Negative regions drawn for each positive one."""
ATTENTION_SHARPNESS = 20.0
"""The release multiplies the difference of scores by this; the paper has no factor."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the losses that are added to the answer loss. A weight of 0 turns that supervision off."""

    span: float = 0.5
    attention: float = 0.1


@dataclass(frozen=True, slots=True)
class Losses:
    """Sums over the questions of a step, unweighted, and their weighted total."""

    answer: Tensor
    """Scaled from proposals to questions."""
    span: Tensor
    attention: Tensor
    total: Tensor


@dataclass(frozen=True, slots=True)
class LossSums:
    """What a part of a step adds to its losses."""

    answer: Tensor
    """Cross-entropy, summed over proposals"""
    span: Tensor
    attention: Tensor
    logits: Tensor
    """(P, K) answer logits of the proposals, of which the first are one for each question"""
    questions: int
    own: Tensor | None = None
    """A loss that only this kind of system has, weighted; it is part of the total alone"""

    @property
    def question_logits(self) -> Tensor:
        """(N, K) the answer logits given the true spans, without gradients."""
        return self.logits[: self.questions].detach()


@dataclass(frozen=True, slots=True)
class Proposals:
    """Spans that the answer loss is computed over: one or two for each question. P rows."""

    question: Tensor
    """(P,) position in the batch"""
    start: Tensor
    """(P,) frame position"""
    end: Tensor
    """(P,) frame position, included"""


@dataclass(frozen=True, slots=True)
class RegionPairs:
    """A region that shows a word, paired with one that does not. P flat positions in the region scores."""

    positive: Tensor
    negative: Tensor


def stage_losses(model: Stage, batch: Batch, weights: LossWeights) -> tuple[Losses, Tensor]:
    """All losses of a batch with targets; also the answer logits given the true spans, (N, K)."""
    sums = stage_loss_sums(model, batch, weights)
    return join_losses([sums], weights), sums.logits[: len(batch)]


def stage_loss_sums(model: Stage, batch: Batch, weights: LossWeights) -> LossSums:
    """What a batch with targets adds to the losses of its step. Losses whose weight is 0 are left out."""
    targets = batch.targets
    if targets is None:
        raise ValueError("a batch without targets can't be trained on")
    output: ModelOutput = model(batch)
    proposals = training_proposals(output.span_logits, targets, batch.frame_mask)
    logits = score_proposals(model, output, proposals)
    answer = answer_loss(logits, targets.answer[proposals.question])
    zero = answer.new_zeros(())
    span = span_loss(output.span_logits, targets) if weights.span else zero
    attention = zero
    if weights.attention and targets.grounding is not None and output.region_scores is not None:
        pairs = draw_pairs(output.region_scores.shape, targets.grounding, targets.answer, batch.region_mask)
        attention = attention_loss(output.region_scores, pairs)
    return LossSums(answer, span, attention, logits, len(batch))


def join_losses(parts: Sequence[LossSums], weights: LossWeights) -> Losses:
    """The losses of a step from those of its parts: the same however the step is divided.

    How many good spans are proposed is known only when all parts have been computed, and the answer loss is scaled by
    it: cross-entropy per proposal, times the number of questions.
    """
    questions, proposals = sum(part.questions for part in parts), sum(len(part.logits) for part in parts)
    answer = _total([part.answer for part in parts]) * (questions / proposals)
    span, attention = _total([part.span for part in parts]), _total([part.attention for part in parts])
    total = answer + weights.span * span + weights.attention * attention
    if own := [part.own for part in parts if part.own is not None]:
        total = total + _total(own)
    return Losses(answer, span, attention, total)


def _total(values: Sequence[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(list(values)).sum()


def training_proposals(logits: SpanLogits, targets: Targets, frame_mask: Tensor) -> Proposals:
    """The true span of every question, and the best predicted one if its score >= 0.01 and its IoU >= 0.5.

    Where the true span is unknown, the best predicted one alone.
    """
    everyone = torch.arange(len(targets.answer), device=targets.answer.device)
    with torch.no_grad():
        predicted = best_spans(
            logits.start[everyone, targets.answer].softmax(-1),
            logits.end[everyone, targets.answer].softmax(-1),
        )
    known = targets.has_span
    iou = span_iou(predicted.start, predicted.end, targets.start, targets.end)
    good = known & (predicted.score >= 0.01) & (iou >= 0.5)
    return Proposals(
        question=torch.cat([everyone, everyone[good]]),
        start=torch.cat([torch.where(known, targets.start, predicted.start), predicted.start[good]]),
        end=torch.cat([torch.where(known, targets.end, predicted.end), predicted.end[good]]),
    )


def score_proposals(model: Stage, output: ModelOutput, proposals: Proposals) -> Tensor:
    """Answer logits (P, K): all hypotheses of a question over the same proposed span."""
    rows = proposals.question
    copies = ModelOutput(output.frames[rows], output.frame_mask[rows], output.span_logits, None, None)
    hypotheses = output.frames.shape[1]
    start = proposals.start[:, None].expand(-1, hypotheses)
    end = proposals.end[:, None].expand(-1, hypotheses)
    return model.score(copies, start, end)


def answer_loss(logits: Tensor, answer: Tensor) -> Tensor:
    """Cross-entropy, summed over proposals (P, K)."""
    return F.cross_entropy(logits, answer, reduction="sum")


def span_loss(logits: SpanLogits, targets: Targets) -> Tensor:
    """Cross-entropy of the true start and end on the correct hypothesis, for questions with a known span."""
    rows = torch.arange(len(targets.answer), device=targets.answer.device)
    start = F.cross_entropy(
        logits.start[rows, targets.answer], targets.start, reduction="sum", ignore_index=NO_SPAN
    )
    end = F.cross_entropy(
        logits.end[rows, targets.answer], targets.end, reduction="sum", ignore_index=NO_SPAN
    )
    return (start + end) / 2


def draw_pairs(
    shape: torch.Size, truth: GroundingTargets, answer: Tensor, region_mask: Tensor
) -> RegionPairs:
    """Two negatives for each positive region, from the other regions of the same word and frame.

    shape: of the region scores, (N, T, K, L_h, N_o). Words whose regions are all positive yield no pairs.
    """
    others = region_mask[truth.question, truth.frame] & ~truth.positive
    row, region = (truth.positive & others.any(-1, keepdim=True)).nonzero(as_tuple=True)
    if len(row) == 0:
        return RegionPairs(row, row)
    drawn = torch.multinomial(others[row].float(), NEGATIVES, replacement=True)
    _, frames, hypotheses, words, regions = shape
    flat = (truth.question * frames + truth.frame) * hypotheses + answer[truth.question]
    first = ((flat * words + truth.word) * regions)[row, None]
    return RegionPairs((first + region[:, None]).expand(-1, NEGATIVES).flatten(), (first + drawn).flatten())


def attention_loss(region_scores: Tensor, pairs: RegionPairs) -> Tensor:
    """Log-sum-exp loss: positive regions are to score above negative ones (Sec. 4.3, L_att)."""
    scores = region_scores.flatten()
    difference = scores[pairs.negative] - scores[pairs.positive]
    return F.softplus(ATTENTION_SHARPNESS * difference).sum()
