"""STAGE: Spatio-Temporal Answerer with Grounded Evidence (Fig. 4 of the paper, from its left to its right)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage.batch import Batch
from stage.model.attention import MASKED, Attended, QAGuidedAttention, VideoTextFusion
from stage.model.config import StageConfig
from stage.model.encoder import ConvEncoder, SharedEmbedding, VectorEmbedding
from stage.model.span import Scorer, SpanLogits, SpanPredictor, Spans, best_spans, pool_span

FRAMES_AT_ONCE = 100
"""At inference, longer clips are read in pieces of this many frames."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What the model found before it answers. N questions, K hypotheses, T frames, L_h words."""

    frames: Tensor
    """(N, K, T, d) each frame as a hypothesis sees it (A' in the paper)"""
    frame_mask: Tensor
    """(N, T)"""
    span_logits: SpanLogits
    region_scores: Tensor | None
    """(N, T, K, L_h, N_o) attention of words to regions, in [-1, 1]; -1e10 where padded"""
    subtitle_scores: Tensor | None
    """(N, T, K, L_h, L_s) the same for subtitle words"""


def join_frames(pieces: Sequence[Grounded]) -> Grounded:
    """One `Grounded` of pieces that follow each other in time."""
    logits = [piece.span_logits for piece in pieces]
    return Grounded(
        torch.cat([piece.frames for piece in pieces], dim=2),
        torch.cat([piece.frame_mask for piece in pieces], dim=1),
        SpanLogits(torch.cat([x.start for x in logits], dim=2), torch.cat([x.end for x in logits], dim=2)),
        _join_scores([piece.region_scores for piece in pieces]),
        _join_scores([piece.subtitle_scores for piece in pieces]),
    )


def _join_scores(scores: Sequence[Tensor | None]) -> Tensor | None:
    real = [s for s in scores if s is not None]
    return torch.cat(real, dim=1) if real else None


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction for each question, as tensors."""

    logits: Tensor
    """(N, K)"""
    spans: Spans
    """(N, K) the most probable span of each hypothesis, in frames"""
    start_probabilities: Tensor
    """(N, K, T)"""
    end_probabilities: Tensor
    """(N, K, T)"""
    grounded: Grounded


class Stage(nn.Module):
    """The model. `forward` grounds, `score` answers given spans, `answer` does both."""

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        self.config = config
        d, dropout = config.hidden, config.dropout
        self.text_embedding = VectorEmbedding(config.text_dim, config.embedding, dropout)
        self.shared_embedding = SharedEmbedding(config.embedding, d, dropout)
        self.input_encoder = self._encoder(config.input_kernel, config.units, config.blocks)
        if config.streams != "none":
            self.attention = QAGuidedAttention(d, dropout, config.attention_scale)
        if config.reads_video:
            self.region_embedding = VectorEmbedding(config.region_dim, config.embedding, dropout)
        if config.streams == "both":
            self.fusion = VideoTextFusion(d, dropout)
        self.fusion_encoder = self._encoder(config.fusion_kernel, config.fusion_units, config.fusion_blocks)
        self.span_predictor = SpanPredictor(d, dropout)
        self.classifier = Scorer(2 * d if config.local_features else d, 1, dropout)

    def forward(self, batch: Batch) -> Grounded:
        """Read, attend, fuse, and find the span of every hypothesis."""
        hypothesis = self._encode_text(batch.words, batch.word_mask)
        video: Attended | None = None
        subtitles: Attended | None = None
        if self.config.reads_video:
            context = self._encode_regions(batch.regions, batch.region_mask)
            video = self.attention(hypothesis, context, batch.word_mask, batch.region_mask)
        if self.config.reads_subtitles:
            context = self._encode_text(batch.subtitles, batch.subtitle_mask)
            subtitles = self.attention(hypothesis, context, batch.word_mask, batch.subtitle_mask)
        if video and subtitles:
            fused = self.fusion(subtitles.joint, video.joint)
        elif video:
            fused = video.joint
        elif subtitles:
            fused = subtitles.joint
        else:
            fused = hypothesis[:, None]
        frames = batch.frame_mask.shape[1]
        pooled = self._pool_words(fused, batch.word_mask).expand(-1, frames, -1, -1)
        encoded, span_logits = self.span_predictor(pooled.transpose(1, 2), batch.frame_mask)
        return Grounded(
            encoded,
            batch.frame_mask,
            span_logits,
            video.scores if video else None,
            subtitles.scores if subtitles else None,
        )

    def score(self, grounded: Grounded, start: Tensor, end: Tensor) -> Tensor:
        """Answer logits (N, K) from the whole clip and the span of each hypothesis; start, end: (N, K)."""
        frames, mask = grounded.frames, grounded.frame_mask
        pooled = frames.masked_fill(~mask[:, None, :, None], MASKED).amax(dim=2)
        if self.config.local_features:
            local = pool_span(frames, start, end, mask, self.config.span_margin)
            pooled = torch.cat([local, pooled], dim=-1)
        logits: Tensor = self.classifier(pooled)
        return logits.squeeze(-1).float()

    def answer(self, batch: Batch) -> Answered:
        """The answer and the evidence for it, as at inference: each hypothesis with its own best span.

        Frames do not see each other before the span is found, so that a film of any length is read in pieces.
        """
        pieces = [self(piece) for piece in batch.split_frames(FRAMES_AT_ONCE)]
        grounded = pieces[0] if len(pieces) == 1 else join_frames(pieces)
        start = grounded.span_logits.start.softmax(dim=-1)
        end = grounded.span_logits.end.softmax(dim=-1)
        spans = best_spans(start, end)
        return Answered(self.score(grounded, spans.start, spans.end), spans, start, end, grounded)

    def _encoder(self, kernel: int, units: int, blocks: int) -> ConvEncoder:
        c = self.config
        return ConvEncoder(c.hidden, kernel, units, blocks, c.dropout, see_padding=c.release_padding)

    def _encode_text(self, words: Tensor, mask: Tensor) -> Tensor:
        encoded: Tensor = self.input_encoder(self.shared_embedding(self.text_embedding(words)), mask)
        return encoded

    def _encode_regions(self, regions: Tensor, mask: Tensor) -> Tensor:
        embedded = self.region_embedding(F.normalize(regions, dim=-1))
        encoded: Tensor = self.input_encoder(self.shared_embedding(embedded), mask)
        return encoded

    def _pool_words(self, fused: Tensor, word_mask: Tensor) -> Tensor:
        """(N, T, K, L_h, d) -> (N, T, K, d): encode the words of each frame together, keep the maximum."""
        mask = word_mask[:, None].expand(fused.shape[:-1])
        encoded: Tensor = self.fusion_encoder(fused, mask)
        return encoded.masked_fill(~mask[..., None], MASKED).amax(dim=-2)
