"""STAGE: Spatio-Temporal Answerer with Grounded Evidence (Sec. 4; Fig. 4 from left to right).

Shapes: N questions, K hypotheses each (question + answer k), L_h words of a hypothesis; T frames, N_o regions of a
frame, L_s words of its aligned subtitles; d = hidden size. Within `fuse`, F frames of any questions of the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.attention import QAGuidedAttention, VideoTextFusion
from stage.model.config import StageConfig
from stage.model.encoder import ConvEncoder, SharedEmbedding, VectorEmbedding
from stage.model.execution.frame_chunks import FrameInputs, fuse_in_chunks
from stage.model.execution.padding import embed_real
from stage.model.ops.l2_norm import l2_normalise
from stage.model.outputs import BatchPrediction, FrameEncoding, ModelOutput
from stage.model.sequences import MASKED, PaddedSequences, Repeated
from stage.model.span import Scorer, SpanPredictor, best_spans, overlapping_spans, pool_span


class Stage(nn.Module):
    """The model. `forward` grounds the hypotheses, `score` answers given spans, `answer` does both."""

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        self.config = config
        d, dropout = config.hidden, config.dropout
        self.text_embedding = self._embedding(config.text_dim)
        self.shared_embedding = SharedEmbedding(config.embedding, d)
        self.input_encoder = self._encoder(config.input_kernel, config.units, config.blocks)
        if config.streams != "none":
            self.attention = QAGuidedAttention(d, dropout, config.attention_scale)
        if config.reads_video and not config.regions_as_words:
            self.region_embedding = self._embedding(config.region_dim)
        if config.streams == "both":
            self.fusion = VideoTextFusion(d, dropout)
        self.fusion_encoder = self._encoder(config.fusion_kernel, config.fusion_units, config.fusion_blocks)
        self.span_predictor = SpanPredictor(d, dropout)
        self.classifier = Scorer(2 * d if config.local_features else d, 1, dropout)

    def forward(self, batch: Batch) -> ModelOutput:
        """Encode, attend, fuse, and predict the span of every hypothesis."""
        hypotheses, regions, subtitles = self.encode(batch)
        # Frames don't see each other until spans are predicted, so they are fused chunk by chunk.
        fused = fuse_in_chunks(self.fuse, batch, hypotheses, regions, subtitles, exact=self._exact)
        frames = fused.frames.transpose(1, 2)  # A: (N, K, T, d)
        frames, span_logits = self.span_predictor(frames, batch.frame_mask)
        return ModelOutput(frames, batch.frame_mask, span_logits, fused.region_scores, fused.subtitle_scores)

    def encode(self, batch: Batch) -> tuple[PaddedSequences, PaddedSequences | None, PaddedSequences | None]:
        """Input embedding layer and convolutional encoder: H; V and S, each distinct context of the batch once."""
        regions = subtitles = None
        hypotheses = self._encode(self.text_embedding, batch.words, batch.word_mask)  # (N, K, L_h, d)
        if self.config.reads_video:
            embedding = self.text_embedding if self.config.regions_as_words else self.region_embedding
            features = l2_normalise(batch.regions.elements)
            regions = self._encode(embedding, features, batch.regions.mask)  # (contexts, N_o, d)
        if self.config.reads_subtitles:
            words = batch.subtitles.elements
            subtitles = self._encode(self.text_embedding, words, batch.subtitles.mask)  # (contexts, L_s, d)
        return hypotheses, regions, subtitles

    def fuse(self, inputs: FrameInputs) -> FrameEncoding:
        """QA-guided attention, video-text fusion, and the second encoder with its max-pooling over words."""
        hypotheses = inputs.hypotheses  # H of n questions: (n, K, L_h, d)
        video = subtitles = region_scores = subtitle_scores = None
        if inputs.regions:
            # V_att: (F, K L_h, d), and the scores M: (F, K L_h, N_o)
            video, region_scores = self.attention(hypotheses, inputs.question, inputs.regions)
        if inputs.subtitles:
            # S_att: the same for subtitle words, once for all frames of a question with the same subtitles
            attended, scores = self.attention(hypotheses, inputs.question_of_pair, inputs.subtitles)
            subtitles = Repeated(attended, inputs.pair)  # (F, K L_h, d)
            subtitle_scores = None if self.training else scores[inputs.pair]
        if subtitles and video is not None:
            fused = self.fusion(subtitles, video)  # F = [S_att; V_att; S_att * V_att] W_F + b_F
        elif subtitles:
            fused = subtitles.expand()
        elif video is not None:
            fused = video
        else:  # question and answers alone: the same for every frame
            pooled = self.fusion_encoder.max_pool(hypotheses.values, hypotheses.mask)
            return FrameEncoding(pooled[inputs.question])
        mask = hypotheses.mask[inputs.question]  # (F, K, L_h)
        frames = self.fusion_encoder.max_pool(fused.unflatten(1, mask.shape[1:]), mask)  # A: (F, K, d)
        return FrameEncoding(frames, region_scores, subtitle_scores)

    def score(self, output: ModelOutput, start: Tensor, end: Tensor) -> Tensor:
        """Answer logits (N, K) from the global and the local representation; start, end: (N, K) frame positions."""
        beyond = ~output.frame_mask[:, None, :, None]
        pooled = output.frames.masked_fill(beyond, MASKED).amax(dim=2)  # G_g: (N, K, d)
        if self.config.local_features:
            local = pool_span(output.frames, start, end, output.frame_mask, self.config.span_margin)  # G_l
            pooled = torch.cat([local, pooled], dim=-1)  # G = [G_l; G_g]: (N, K, 2d)
        logits: Tensor = self.classifier(pooled)
        return logits.squeeze(-1).float()

    def answer(self, batch: Batch) -> BatchPrediction:
        """The answer and the evidence for it, as at inference: each hypothesis with its own best span."""
        return answer_over_best_spans(self(batch), self.score, self.config)

    def _embedding(self, input_dim: int) -> VectorEmbedding:
        c = self.config
        return VectorEmbedding(input_dim, c.embedding, c.dropout, output_dropout=c.dropout)

    def _encoder(self, kernel: int, units: int, blocks: int) -> ConvEncoder:
        c = self.config
        return ConvEncoder(c.hidden, kernel, units, blocks, c.dropout, see_padding=c.release_padding)

    def _encode(self, embedding: VectorEmbedding, elements: Tensor, mask: Tensor) -> PaddedSequences:
        """(..., L, D) -> (..., L, d)"""
        embedded = embed_real(
            lambda x: self.shared_embedding(embedding(x)), elements, mask, exact=self._exact
        )
        return PaddedSequences(self.input_encoder(embedded.values, embedded.mask), embedded.mask)

    @property
    def _exact(self) -> bool:
        """Whether to compute in exactly the sizes that are given: padding as in the release, or a traced graph."""
        return self.config.release_padding or torch.compiler.is_compiling()


def answer_over_best_spans(
    output: ModelOutput, score: Callable[[ModelOutput, Tensor, Tensor], Tensor], config: StageConfig
) -> BatchPrediction:
    """Choose the span of each hypothesis from p1 and p2, and score all hypotheses over their spans; see `score`."""
    start = output.span_logits.start.softmax(dim=-1)
    end = output.span_logits.end.softmax(dim=-1)
    choose = overlapping_spans if config.span_choice == "overlap" else best_spans
    spans = choose(start, end)
    return BatchPrediction(score(output, spans.start, spans.end), spans, start, end, output)
