"""The two-stream model of TVQA (Lei et al., EMNLP 2018).

Subtitles and video are each read as one sequence, matched with question and answer, and scored; the answer is the
one with the larger sum.

Where the paper is silent or can't be followed: word vectors of any size are projected to the size of the region
vectors by STAGE's embedding (the paper uses GloVe vectors as they are); regional features and visual concepts are
both region features here; subtitles are the sentences aligned with the frames, without repetition. Trained with
the learning rate and dropout of STAGE unless configured otherwise.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline, Scored
from stage.model.baselines.inputs import (
    Embedding,
    Texts,
    annotated_frames,
    as_sequence,
    split_hypotheses,
)
from stage.model.baselines.layers import Recurrent, attend, masked_max
from stage.model.config import SystemConfig
from stage.model.ops.dropout import Dropout
from stage.model.sequences import PaddedSequences


class TwoStreamConfig(SystemConfig):
    """The paper's own sizes are hidden 300 and embedding 300; the default hidden size is STAGE's."""

    kind: Literal["two_stream"] = "two_stream"
    streams: Literal["both", "video", "subtitles"] = "both"
    within_span: bool = False
    """Read only the annotated span where it is known, at inference too (the paper's "with time stamps")."""
    hidden: int = Field(128, gt=0, multiple_of=2)
    """Size of the encoders' output: half for each direction."""
    embedding: int = Field(300, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)

    @property
    def reads_video(self) -> bool:
        return self.streams != "subtitles"


class TwoStream(Baseline):
    """Two contexts, one bidirectional encoder for all sequences, one score for each context."""

    config: TwoStreamConfig

    def __init__(self, config: TwoStreamConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config.text_dim, config.region_dim, config.embedding, config.dropout)
        self.encoder = Recurrent(config.embedding, config.hidden)
        if config.streams != "video":
            self.subtitles = Stream(config.hidden, config.dropout)
        if config.streams != "subtitles":
            self.video = Stream(config.hidden, config.dropout)

    def forward(self, batch: Batch) -> Scored:
        texts = encode_texts(self.embedding, self.encoder, split_hypotheses(batch))
        seen = annotated_frames(batch) if self.config.within_span else batch.frame_mask
        scores = []
        if self.config.streams != "video":
            words = as_sequence(self.embedding.words(batch.subtitles.elements), batch.subtitles, seen)
            scores.append(self.subtitles(self._encode(words), texts))
        if self.config.streams != "subtitles":
            regions = as_sequence(self.embedding.regions(batch.regions.elements), batch.regions, seen)
            scores.append(self.video(self._encode(regions), texts))
        return Scored(torch.stack(scores).sum(0).float())

    def _encode(self, embedded: PaddedSequences) -> PaddedSequences:
        return PaddedSequences(self.encoder(embedded.values, embedded.mask), embedded.mask)


class Stream(nn.Module):
    """Matches a context with question and answer, encodes the match, and scores it: (N, C, d) -> (N, K)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.encoder = Recurrent(5 * dim, dim)
        self.score = nn.Sequential(
            Dropout(dropout), nn.Linear(dim, dim), nn.ReLU(), Dropout(dropout), nn.Linear(dim, 1)
        )

    def forward(self, context: PaddedSequences, texts: Texts) -> Tensor:
        matched = match(context.values, texts)
        mask = context.mask[:, None].expand(matched.shape[:-1])
        score: Tensor = self.score(masked_max(self.encoder(matched, mask), mask))
        return score.squeeze(-1)


def encode_texts(embedding: Embedding, encoder: Recurrent, texts: Texts) -> Texts:
    """Encode question and answers."""
    question, answers = (
        PaddedSequences(encoder(embedding.words(text.values), text.mask), text.mask)
        for text in (texts.question, texts.answers)
    )
    return Texts(question, answers)


def match(context: Tensor, texts: Texts) -> Tensor:
    """Context matching: [c; u_q; u_a; c * u_q; c * u_a], (N, C, d) -> (N, K, C, 5 d).

    u_q and u_a are the question and the answer as attended to by an element c of the context.
    """
    asked = attend(context, texts.question)[:, None]
    answered = attend(context[:, None], texts.answers)
    context = context[:, None]
    parts = (context, asked, answered, context * asked, context * answered)
    return torch.cat([part.expand_as(answered) for part in parts], dim=-1)
