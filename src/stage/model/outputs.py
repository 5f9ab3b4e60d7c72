"""What the model returns, as tensors: encoded frames, span logits, scores, answers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stage.model.span import SpanLogits, Spans


@dataclass(frozen=True, slots=True)
class FrameEncoding:
    """Frames as the hypotheses see them, and the attention scores M that led to them. B frames of a chunk, or
    (N, T) frames of a batch in the place of B."""

    frames: Tensor
    """(B, K, d) A in the paper"""
    region_scores: Tensor | None = None
    """(B, K L_h, N_o), before the softmax; of a batch (N, T, K, L_h, N_o)"""
    subtitle_scores: Tensor | None = None
    """(B, K L_h, L_s); of a batch (N, T, K, L_h, L_s)"""


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What the model finds before it answers. N questions, K hypotheses, T frames, L_h words."""

    frames: Tensor
    """(N, K, T, d) each frame as a hypothesis sees it, further encoded (A' in docs/stage.md)"""
    frame_mask: Tensor
    """(N, T)"""
    span_logits: SpanLogits
    region_scores: Tensor | None
    """(N, T, K, L_h, N_o) attention of words to regions, in [-1, 1]; -1e10 where padded"""
    subtitle_scores: Tensor | None
    """(N, T, K, L_h, L_s) the same for subtitle words; None in training, which does not need them"""


@dataclass(frozen=True, slots=True)
class BatchPrediction:
    """A prediction for each question of a batch."""

    logits: Tensor
    """(N, K)"""
    spans: Spans
    """(N, K) the most probable span of each hypothesis, in frame positions"""
    start_probabilities: Tensor
    """(N, K, T)"""
    end_probabilities: Tensor
    """(N, K, T)"""
    output: ModelOutput
