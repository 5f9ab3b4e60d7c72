"""Late fusion: the first two rows of Table 4, streams scored apart and summed.

Words attend to regions and to subtitle words at each frame as in STAGE, but the two are never fused: each stream
is encoded, pooled over words and frames, and scored, and the scores are summed. There is no span predictor. Row 1
encodes sequences with recurrent networks, row 2 with STAGE's convolutions.

Where the paper is silent: input encoder, attention and embedding are shared by both streams as in STAGE; each
stream has its own second encoder and classifier; a recurrent encoder is one bidirectional LSTM layer in place of a
convolution block. With an attention weight above 0 it is supervised spatially; the paper's rows are not.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from stage.data.batch import Batch, Context
from stage.model.attention import QAGuidedAttention
from stage.model.baselines.baseline import Baseline, Scored
from stage.model.baselines.layers import Recurrent, masked_max
from stage.model.config import SystemConfig
from stage.model.encoder import ConvEncoder, SharedEmbedding, VectorEmbedding
from stage.model.execution.frame_chunks import scatter_frames
from stage.model.sequences import MASKED, PaddedSequences
from stage.model.span import Scorer

INPUT_KERNEL, FUSION_KERNEL, UNITS, BLOCKS = 7, 5, 2, 1
"""Of the convolutional encoders, as in STAGE."""


class LateFusionConfig(SystemConfig):
    """`encoder` selects the row of Table 4: rnn is the first, cnn the second."""

    kind: Literal["late_fusion"] = "late_fusion"
    encoder: Literal["rnn", "cnn"] = "rnn"
    hidden: int = Field(128, gt=0, multiple_of=2)
    embedding: int = Field(300, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_scale: float = Field(10.0, gt=0)
    """Factor of cosine similarities before the softmax."""


class LateFusion(Baseline):
    """Two streams with shared attention, each scored separately."""

    config: LateFusionConfig

    def __init__(self, config: LateFusionConfig) -> None:
        super().__init__()
        self.config = config
        d, size, dropout = config.hidden, config.embedding, config.dropout
        self.text_embedding = VectorEmbedding(config.text_dim, size, dropout, output_dropout=dropout)
        self.region_embedding = VectorEmbedding(config.region_dim, size, dropout, output_dropout=dropout)
        self.shared_embedding = SharedEmbedding(size, d)
        self.input_encoder = self._encoder(INPUT_KERNEL)
        self.attention = QAGuidedAttention(d, dropout, config.attention_scale)
        self.video_encoder, self.subtitle_encoder = self._encoder(FUSION_KERNEL), self._encoder(FUSION_KERNEL)
        self.video_classifier, self.subtitle_classifier = Scorer(d, 1, dropout), Scorer(d, 1, dropout)

    def forward(self, batch: Batch) -> Scored:
        words = self._encode(batch.words, self.text_embedding, batch.word_mask)
        regions = self._encode(
            F.normalize(batch.regions.elements, dim=-1), self.region_embedding, batch.regions.mask
        )
        subtitles = self._encode(batch.subtitles.elements, self.text_embedding, batch.subtitles.mask)
        seen, region_scores = self._read(self.video_encoder, words, batch, regions, batch.regions)
        heard, subtitle_scores = self._read(self.subtitle_encoder, words, batch, subtitles, batch.subtitles)
        logits = self.video_classifier(seen) + self.subtitle_classifier(heard)
        return Scored(
            logits.squeeze(-1).float(), region_scores=region_scores, subtitle_scores=subtitle_scores
        )

    def _read(
        self, encoder: nn.Module, words: Tensor, batch: Batch, elements: Tensor, context: Context
    ) -> tuple[Tensor, Tensor]:
        """A stream as each hypothesis sees it, max-pooled over words and frames: (N, K, d).

        Also the attention scores of words to its elements, (N, T, K, L_h, C).
        """
        # Frames of a question with the same context share what its words attend to in it.
        asked_of = batch.frame_mask.nonzero()[:, 0] * len(elements) + context.of_frame[batch.frame_mask]
        pairs, of_frame = torch.unique(asked_of, return_inverse=True)
        question, row = pairs // len(elements), pairs % len(elements)
        mask = batch.word_mask[question]  # (pairs, K, L_h)
        hypotheses = PaddedSequences(words, batch.word_mask)
        attended, scores = self.attention(hypotheses, question, PaddedSequences(elements, context.mask)[row])
        found = masked_max(encoder(attended.unflatten(1, mask.shape[1:]), mask), mask)
        scores = scores.unflatten(1, mask.shape[1:])
        frames = scatter_frames([found[of_frame]], batch.frame_mask, MASKED)
        return frames.amax(1), scatter_frames([scores[of_frame]], batch.frame_mask, MASKED)

    def _encode(self, vectors: Tensor, embedding: VectorEmbedding, mask: Tensor) -> Tensor:
        encoded: Tensor = self.input_encoder(self.shared_embedding(embedding(vectors)), mask)
        return encoded

    def _encoder(self, kernel: int) -> nn.Module:
        d = self.config.hidden
        if self.config.encoder == "rnn":
            return Recurrent(d, d)
        return ConvEncoder(d, kernel, UNITS, BLOCKS, self.config.dropout, see_padding=False)
