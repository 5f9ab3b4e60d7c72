"""STAGE: Spatio-Temporal Answerer with Grounded Evidence (Sec. 4; Fig. 4).

Shapes: N questions, K hypotheses each (question + answer k), L_h words of a hypothesis; T frames, N_o regions of a
frame, L_s words of the subtitles aligned with a frame; d = hidden size. Frames are fused B at a time, of any of the
questions. Masks are true for what is real. "The release" is the authors' code, which is followed where it differs
from the paper (docs/stage.md lists where).
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
        # Words and regions each have a linear layer with ReLU, and share a second one (as in the release).
        self.text_embedding = self._make_embedding(config.text_dim)
        self.shared_embedding = SharedEmbedding(config.embedding, d)
        self.input_encoder = self._make_encoder(config.input_kernel, config.units, config.blocks)
        if config.streams != "none":
            self.attention = QAGuidedAttention(d, dropout, config.attention_scale)
        if config.reads_video and not config.regions_as_words:
            self.region_embedding = self._make_embedding(config.region_dim)
        if config.streams == "both":
            self.fusion = VideoTextFusion(d, dropout)
        self.fusion_encoder = self._make_encoder(
            config.fusion_kernel, config.fusion_units, config.fusion_blocks
        )
        self.span_predictor = SpanPredictor(d, dropout)
        self.classifier = Scorer(2 * d if config.local_features else d, 1, dropout)

    def forward(self, batch: Batch) -> ModelOutput:
        """Encode, attend, fuse, and predict the span of every hypothesis."""
        hypotheses, regions, subtitles = self.encode(batch)
        # Frames don't see each other until spans are predicted, so they are fused a chunk at a time.
        fused = fuse_in_chunks(self.fuse, batch, hypotheses, regions, subtitles, exact=self._exact)
        frames = fused.frames.transpose(1, 2)  # A: (N, K, T, d)
        # A', further encoded by a linear layer, from which spans and answers are predicted; p1 and p2: (N, K, T)
        encoded, span_logits = self.span_predictor(frames, batch.frame_mask)
        # The scores M of regions: (N, T, K, L_h, N_o), and of subtitle words: (N, T, K, L_h, L_s)
        return ModelOutput(encoded, batch.frame_mask, span_logits, fused.region_scores, fused.subtitle_scores)

    def encode(self, batch: Batch) -> tuple[PaddedSequences, PaddedSequences | None, PaddedSequences | None]:
        """Input embedding layer and convolutional encoder: H, V and S.

        Frames of a clip share regions and subtitles with other questions, and often subtitles with each other: those
        of C distinct frames or subtitles are encoded once.
        """
        regions = subtitles = None
        hypotheses = self._encode(self.text_embedding, batch.words, batch.word_mask)  # H: (N, K, L_h, d)
        if self.config.reads_video:
            # Labels of regions can be embedded like words; region features are L2-normalised (as in the release).
            embedding = self.text_embedding if self.config.regions_as_words else self.region_embedding
            features = l2_normalise(batch.regions.elements)
            regions = self._encode(embedding, features, batch.regions.mask)  # V: (C, N_o, d)
        if self.config.reads_subtitles:
            elements, mask = batch.subtitles.elements, batch.subtitles.mask
            subtitles = self._encode(self.text_embedding, elements, mask)  # S: (C, L_s, d)
        return hypotheses, regions, subtitles

    def fuse(self, inputs: FrameInputs) -> FrameEncoding:
        """QA-guided attention, video-text fusion, and the second encoder with its max-pooling over words.

        inputs: the hypotheses of n questions, (n, K, L_h, d); the regions of B frames, (B, N_o, d); the subtitles of
        P distinct pairs of a question and subtitles, (P, L_s, d); and the question and the pair of each frame.
        """
        hypotheses, video, subtitles = inputs.hypotheses, None, None
        region_scores = subtitle_scores = None
        if inputs.regions is not None:
            # V_att: (B, K L_h, d), the words of all hypotheses in a row; M before its softmax: (B, K L_h, N_o)
            video, region_scores = self.attention(hypotheses, inputs.question_of_frame, inputs.regions)
        if inputs.subtitles is not None:
            # Likewise (P, K L_h, d) and (P, K L_h, L_s); then S_att: (B, K L_h, d)
            attended, scores = self.attention(hypotheses, inputs.question_of_pair, inputs.subtitles)
            subtitles = Repeated(attended, inputs.pair_of_frame)
            subtitle_scores = None if self.training else scores[inputs.pair_of_frame]  # no loss reads them
        if video is not None and subtitles is not None:
            fused = self.fusion(
                subtitles, video
            )  # F = [S_att; V_att; S_att * V_att] W_F + b_F: (B, K L_h, d)
        elif video is not None:
            fused = video
        elif subtitles is not None:
            fused = subtitles.gather()
        else:  # the ablation that reads question and answers alone, in every frame the same
            pooled = self.fusion_encoder.encode_and_pool(hypotheses.values, hypotheses.mask)
            return FrameEncoding(pooled[inputs.question_of_frame])
        mask = hypotheses.mask[inputs.question_of_frame]  # (B, K, L_h)
        frames = self.fusion_encoder.encode_and_pool(fused.unflatten(1, mask.shape[1:]), mask)  # A: (B, K, d)
        return FrameEncoding(frames, region_scores, subtitle_scores)

    def score(self, output: ModelOutput, start: Tensor, end: Tensor) -> Tensor:
        """Answer logits (N, K) from the global and the local representation; start, end: (N, K) frame positions.

        The spans are proposals: in training those of `losses.training_proposals`, else each hypothesis' best.
        """
        padding = ~output.frame_mask[:, None, :, None]
        pooled = output.frames.masked_fill(padding, MASKED).amax(dim=2)  # G_g: (N, K, d)
        if self.config.local_features:
            # G_l, the maximum over the span and a margin of frames on both sides (as in the release): (N, K, d)
            local = pool_span(output.frames, start, end, output.frame_mask, self.config.span_margin)
            pooled = torch.cat([local, pooled], dim=-1)  # G = [G_l; G_g]: (N, K, 2d)
        logits: Tensor = self.classifier(pooled)  # p_ans is their softmax over the hypotheses
        return logits.squeeze(-1).float()

    def answer(self, batch: Batch) -> BatchPrediction:
        """The answer and the evidence for it, as at inference: each hypothesis with its own best span."""
        return answer_over_best_spans(self(batch), self.score, self.config)

    def _encode(self, embedding: VectorEmbedding, elements: Tensor, mask: Tensor) -> PaddedSequences:
        """Embed and encode one input: (..., L, input_dim) -> (..., L, d)."""

        def embed(vectors: Tensor) -> Tensor:
            embedded: Tensor = self.shared_embedding(embedding(vectors))
            return embedded

        embedded = embed_real(embed, elements, mask, exact=self._exact)
        return PaddedSequences(self.input_encoder(embedded.values, embedded.mask), embedded.mask)

    @property
    def _exact(self) -> bool:
        """Keep all sizes and padding as they are given; else padding is skipped, and sizes are rounded up for speed.

        Needed where padding is seen, as in the release, and to trace a graph. Otherwise results are the same.
        """
        return self.config.release_padding or torch.compiler.is_compiling()

    def _make_embedding(self, input_dim: int) -> VectorEmbedding:
        c = self.config
        return VectorEmbedding(input_dim, c.embedding, c.dropout, output_dropout=c.dropout)

    def _make_encoder(self, kernel: int, units: int, blocks: int) -> ConvEncoder:
        c = self.config
        return ConvEncoder(c.hidden, kernel, units, blocks, c.dropout, see_padding=c.release_padding)


def answer_over_best_spans(
    output: ModelOutput, score: Callable[[ModelOutput, Tensor, Tensor], Tensor], config: StageConfig
) -> BatchPrediction:
    """Find the best span of each hypothesis, and score all hypotheses over theirs. Exported graphs answer so too."""
    p1 = output.span_logits.start.softmax(dim=-1)  # (N, K, T); padding has a probability of 0
    p2 = output.span_logits.end.softmax(dim=-1)
    # The largest p1 * p2, as in the paper; or the largest expected IoU with the true span, a choice of ours
    choose = overlapping_spans if config.span_choice == "overlap" else best_spans
    spans = choose(p1, p2)
    logits = score(output, spans.start, spans.end)
    return BatchPrediction(logits, spans, start_probabilities=p1, end_probabilities=p2, output=output)
