"""STAGE: Spatio-Temporal Answerer with ModelOutput Evidence (Fig. 4 of the paper, from its left to its right)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.attention import QAGuidedAttention, VideoTextFusion
from stage.model.config import StageConfig
from stage.model.encoder import ConvEncoder, SharedEmbedding, VectorEmbedding
from stage.model.execution.frame_chunks import FrameChunk, chunk_frames, fit, scatter_frames
from stage.model.execution.padding import MASKED, PaddedSequences, round_up
from stage.model.ops.layer_norm import l2_normalise
from stage.model.span import (
    Scorer,
    SpanLogits,
    SpanPredictor,
    Spans,
    best_spans,
    overlapping_spans,
    pool_span,
)


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What the model found before it answers. N questions, K hypotheses, T frames, L_h words."""

    frames: Tensor
    """(N, K, T, d) each frame as a hypothesis sees it (A' in the paper)"""
    frame_mask: Tensor
    """(N, T)"""
    span_logits: SpanLogits
    region_scores: Tensor | None
    """(N, T, K, L_h, N_o) attention of words to regions, in [-1, 1]; -1e10 where padded"""
    subtitle_scores: Tensor | None
    """(N, T, K, L_h, L_s) the same for subtitle words; none in training, which does not need them"""


@dataclass(frozen=True, slots=True)
class BatchPrediction:
    """A prediction for each question, as tensors."""

    logits: Tensor
    """(N, K)"""
    spans: Spans
    """(N, K) the most probable span of each hypothesis, in frames"""
    start_probabilities: Tensor
    """(N, K, T)"""
    end_probabilities: Tensor
    """(N, K, T)"""
    grounded: ModelOutput


@dataclass(frozen=True, slots=True)
class FrameEncoding:
    """F frames as the hypotheses see them."""

    frames: Tensor
    """(F, K, d)"""
    region_scores: Tensor | None = None
    """(F, K * L_h, N_o)"""
    subtitle_scores: Tensor | None = None
    """(F, K * L_h, L_s)"""

    def of(self, frames: int, words: int, regions: int, said: int) -> FrameEncoding:
        """The first frames alone, and scores as (F, K, words, regions or said), masked where nothing was seen."""

        def fitted(scores: Tensor | None, elements: int) -> Tensor | None:
            return None if scores is None else fit(scores[:frames], self.frames.shape[1], words, elements)

        return FrameEncoding(
            self.frames[:frames], fitted(self.region_scores, regions), fitted(self.subtitle_scores, said)
        )


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
        if config.reads_video and not config.regions_as_words:
            self.region_embedding = VectorEmbedding(config.region_dim, config.embedding, dropout)
        if config.streams == "both":
            self.fusion = VideoTextFusion(d, dropout)
        self.fusion_encoder = self._encoder(config.fusion_kernel, config.fusion_units, config.fusion_blocks)
        self.span_predictor = SpanPredictor(d, dropout)
        self.classifier = Scorer(2 * d if config.local_features else d, 1, dropout)

    def forward(self, batch: Batch) -> ModelOutput:
        """Read, attend, fuse, and find the span of every hypothesis."""
        encodings = self.look(batch, chunk_frames(batch, together=self.config.release_padding))
        frames = scatter_frames([look.frames for look in encodings], batch.frame_mask, 0.0)
        further, span_logits = self.span_predictor(frames.transpose(1, 2), batch.frame_mask)
        region_scores, subtitle_scores = (
            None if scores[0] is None else scatter_frames(scores, batch.frame_mask, MASKED)
            for scores in (
                [look.region_scores for look in encodings],
                [look.subtitle_scores for look in encodings],
            )
        )
        return ModelOutput(further, batch.frame_mask, span_logits, region_scores, subtitle_scores)

    def look(self, batch: Batch, pieces: Sequence[FrameChunk]) -> list[FrameEncoding]:
        """Encode every hypothesis, picture and piece of dialogue once, then look at the frames in pieces."""
        full = pieces if self._exact else [piece.filled_up() for piece in pieces]
        asked = self._encode(self.text_embedding, batch.words, batch.word_mask).for_pieces(
            [piece.questions for piece in full]
        )
        pictures: Sequence[PaddedSequences | None] = [None] * len(full)
        dialogue: Sequence[PaddedSequences | None] = [None] * len(full)
        if self.config.reads_video:
            regions = l2_normalise(batch.pictures.elements)
            embedding = self.text_embedding if self.config.regions_as_words else self.region_embedding
            encoded = self._encode(embedding, regions, batch.pictures.mask)
            pictures = encoded.for_pieces([piece.picture for piece in full])
        if self.config.reads_subtitles:
            encoded = self._encode(self.text_embedding, batch.dialogue.elements, batch.dialogue.mask)
            dialogue = encoded.for_pieces([piece.dialogue for piece in full])
        encodings = map(self._look_at, full, asked, pictures, dialogue)
        lengths = batch.word_mask.shape[-1], batch.pictures.mask.shape[-1], batch.dialogue.mask.shape[-1]
        return [
            look.of(piece.question.shape[0], *lengths) for look, piece in zip(encodings, pieces, strict=True)
        ]

    def _look_at(
        self,
        piece: FrameChunk,
        asked: PaddedSequences,
        pictures: PaddedSequences | None,
        dialogue: PaddedSequences | None,
    ) -> FrameEncoding:
        """QA-guided attention to both contexts of a piece's frames, fusion, and the maximum over words.

        Without any context, what the hypotheses say by themselves, for every frame the same.
        """
        words = asked.cut(piece.words)
        fused: Tensor | None = None
        region_scores = subtitle_scores = None
        if pictures:
            video = self.attention(words.in_a_row(), piece.question, pictures)
            fused, region_scores = video.joint, video.scores
        if dialogue:
            said = self.attention(words.in_a_row(), piece.asking, dialogue)
            of_frame = piece.pair_of_frame
            fused = said.joint[of_frame] if fused is None else self.fusion(said.joint, of_frame, fused)
            if not self.training:
                subtitle_scores = said.scores[of_frame]
        if fused is None:
            return FrameEncoding(self._pool_words(words.values, words.mask)[piece.question])
        pooled = self._pool_words(fused.unflatten(1, words.mask.shape[1:]), words.mask[piece.question])
        return FrameEncoding(pooled, region_scores, subtitle_scores)

    def score(self, grounded: ModelOutput, start: Tensor, end: Tensor) -> Tensor:
        """Answer logits (N, K) from the whole clip and the span of each hypothesis; start, end: (N, K)."""
        frames, mask = grounded.frames, grounded.frame_mask
        pooled = frames.masked_fill(~mask[:, None, :, None], MASKED).amax(dim=2)
        if self.config.local_features:
            local = pool_span(frames, start, end, mask, self.config.span_margin)
            pooled = torch.cat([local, pooled], dim=-1)
        logits: Tensor = self.classifier(pooled)
        return logits.squeeze(-1).float()

    def answer(self, batch: Batch) -> BatchPrediction:
        """The answer and the evidence for it, as at inference: each hypothesis with its own best span."""
        return answer_from(self(batch), self.score, self.config)

    def _encoder(self, kernel: int, units: int, blocks: int) -> ConvEncoder:
        c = self.config
        return ConvEncoder(c.hidden, kernel, units, blocks, c.dropout, see_padding=c.release_padding)

    @property
    def _exact(self) -> bool:
        """Whether everything is computed in just the sizes that it has."""
        return self.config.release_padding or torch.compiler.is_compiling()

    def _encode(self, embedding: VectorEmbedding, elements: Tensor, mask: Tensor) -> PaddedSequences:
        """(C, ..., L, D) -> (C, ..., L, d), or more of both, padded."""
        if self._exact:
            embedded = self.shared_embedding(elements, embedding)
        else:
            real = mask.flatten().nonzero()[:, 0]
            rows = elements.flatten(0, -2)[F.pad(real, (0, round_up(len(real)) - len(real)))]
            mask = F.pad(
                mask,
                (0, round_up(mask.shape[-1]) - mask.shape[-1])
                + (0, 0) * (mask.dim() - 2)
                + (0, round_up(len(mask)) - len(mask)),
            )
            rows = self.shared_embedding(rows, embedding)
            embedded = rows.new_zeros(*mask.shape, rows.shape[-1])
            embedded[mask] = rows[: len(real)]
        return PaddedSequences(self.input_encoder(embedded, mask), mask)

    def _pool_words(self, fused: Tensor, mask: Tensor) -> Tensor:
        """(F, K, L_h, d) -> (F, K, d): encode the words of each frame together, keep the maximum."""
        return self.fusion_encoder.maximum(fused, mask)


def answer_from(
    grounded: ModelOutput, score: Callable[[ModelOutput, Tensor, Tensor], Tensor], config: StageConfig
) -> BatchPrediction:
    """Choose a span for each hypothesis and score them all over their spans; see `Stage.score`."""
    start = grounded.span_logits.start.softmax(dim=-1)
    end = grounded.span_logits.end.softmax(dim=-1)
    choose = overlapping_spans if config.span_choice == "overlap" else best_spans
    spans = choose(start, end)
    return BatchPrediction(score(grounded, spans.start, spans.end), spans, start, end, grounded)
