"""Multi-task video question answering (Kim et al., IJCNN 2019).

A two-stream network answers. Two auxiliary tasks share its lower layers: modality alignment (which subtitles
belong to which frame; on the encoded streams) and temporal retrieval (which moment the question is about; on the
streams matched with question and answer).

The tasks and what they share are the paper's; the layers are our rendering of them. Regions and subtitle words are
encoded and matched one by one, as in the two-stream model, and pooled to frames, so that all three tasks see the
same frames; start and end are predicted for each hypothesis and trained on the correct one, as in STAGE; the
alignment is a hinge loss on cosine similarity against all other frames of the clip. The ratio of the tasks is
scheduled, the easiest one first: the weight of the alignment decreases linearly to zero, that of the retrieval is
the training's span weight.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline, Scored, loss_sums_of
from stage.model.baselines.inputs import Embedding, Texts, by_frame, split_hypotheses
from stage.model.baselines.layers import Recurrent, masked_max, masked_mean
from stage.model.baselines.two_stream import encode_texts, match
from stage.model.config import SystemConfig
from stage.model.losses import LossSums, LossWeights
from stage.model.ops.dropout import Dropout
from stage.model.sequences import MASKED, PaddedSequences
from stage.model.span import Scorer, SpanLogits

MARGIN = 0.2
"""Margin by which a frame's own subtitles should be nearer to it than those of other frames."""


class MultiTaskConfig(SystemConfig):
    """Sizes as those of the two-stream model."""

    localises: ClassVar[bool] = True

    kind: Literal["multi_task"] = "multi_task"
    hidden: int = Field(128, gt=0, multiple_of=2)
    embedding: int = Field(300, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    alignment_weight: float = Field(1.0, ge=0)
    """Weight of the alignment loss in the first step."""
    alignment_questions: int = Field(32_000, gt=0)
    """Number of training questions after which that weight has reached zero."""


class MultiTask(Baseline):
    """Encoders shared by all tasks, frames shared by answering and retrieval, a head for each task."""

    config: MultiTaskConfig
    questions_seen: Tensor

    def __init__(self, config: MultiTaskConfig) -> None:
        super().__init__()
        self.config = config
        d, dropout = config.hidden, config.dropout
        self.embedding = Embedding(config.text_dim, config.region_dim, config.embedding, dropout)
        self.encoder = Recurrent(config.embedding, d)
        self.video, self.subtitles = MatchedFrames(d, dropout), MatchedFrames(d, dropout)
        self.video_score, self.subtitle_score = Scorer(d, 1, dropout), Scorer(d, 1, dropout)
        self.start, self.end = Scorer(2 * d, 1, dropout), Scorer(2 * d, 1, dropout)
        self.video_alignment, self.subtitle_alignment = nn.Linear(d, d), nn.Linear(d, d)
        self.register_buffer("questions_seen", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> Scored:
        return self._score(batch, *self._read(batch))

    def loss_sums(self, batch: Batch, weights: LossWeights) -> LossSums:
        """As for all baselines, and the alignment loss."""
        video, subtitles = self._read(batch)
        sums = loss_sums_of(self._score(batch, video, subtitles), batch, weights)
        left = 1 - float(self.questions_seen) / self.config.alignment_questions
        if left <= 0 or not self.config.alignment_weight:
            return sums
        return replace(sums, own=left * self.config.alignment_weight * self._alignment_loss(video, subtitles))

    def after_step(self, questions: int) -> None:
        self.questions_seen += questions

    def _read(self, batch: Batch) -> tuple[PaddedSequences, PaddedSequences]:
        """Regions and subtitle words of every frame, encoded independently of the question."""
        regions = self.encoder(self.embedding.regions(batch.regions.elements), batch.regions.mask)
        words = self.encoder(self.embedding.words(batch.subtitles.elements), batch.subtitles.mask)
        return (
            by_frame(regions, batch.regions, batch.frame_mask),
            by_frame(words, batch.subtitles, batch.frame_mask),
        )

    def _score(self, batch: Batch, video: PaddedSequences, subtitles: PaddedSequences) -> Scored:
        texts = encode_texts(self.embedding, self.encoder, split_hypotheses(batch))
        seen = self.video(video, batch.frame_mask, texts)
        heard = self.subtitles(subtitles, batch.frame_mask, texts)
        clip = batch.frame_mask[:, None].expand(seen.shape[:-1])  # (N, K, T)
        logits = self.video_score(masked_max(seen, clip)) + self.subtitle_score(masked_max(heard, clip))
        frames = torch.cat([seen, heard], dim=-1)
        start, end = (
            head(frames).squeeze(-1).float().masked_fill(~clip, MASKED) for head in (self.start, self.end)
        )
        return Scored(logits.squeeze(-1).float(), SpanLogits(start, end))

    def _alignment_loss(self, video: PaddedSequences, subtitles: PaddedSequences) -> Tensor:
        """Hinge loss, from frames to subtitles and back, summed over the questions.

        Frames with the same sentences have the same vector, so they don't push each other away.
        """
        seen = self.video_alignment(masked_mean(video.values, video.mask))
        heard = self.subtitle_alignment(masked_mean(subtitles.values, subtitles.mask))
        similarity = F.normalize(seen, dim=-1) @ F.normalize(heard, dim=-1).transpose(1, 2)  # (N, T, T)
        own = similarity.diagonal(dim1=1, dim2=2)
        hinges = F.relu(MARGIN + similarity - own[:, :, None]) + F.relu(MARGIN + similarity - own[:, None])
        both = video.mask.any(-1) & subtitles.mask.any(-1)
        others = ~torch.eye(similarity.shape[1], dtype=torch.bool, device=similarity.device)
        pairs = both[:, :, None] & both[:, None] & others
        return ((hinges * pairs).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)).sum()


class MatchedFrames(nn.Module):
    """A stream matched with question and answer, as a sequence of frames: (N, T, C, d) -> (N, K, T, d)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.fuse = nn.Sequential(nn.LayerNorm(5 * dim), Dropout(dropout), nn.Linear(5 * dim, dim), nn.ReLU())
        self.encoder = Recurrent(dim, dim)

    def forward(self, stream: PaddedSequences, frame_mask: Tensor, texts: Texts) -> Tensor:
        matched = self.fuse(match(stream.values.flatten(1, 2), texts))
        by_frame = matched.unflatten(2, stream.mask.shape[1:])  # (N, K, T, C, d)
        pooled = masked_max(by_frame, stream.mask[:, None].expand(by_frame.shape[:-1]))
        encoded: Tensor = self.encoder(pooled, frame_mask[:, None].expand(pooled.shape[:-1]))
        return encoded
