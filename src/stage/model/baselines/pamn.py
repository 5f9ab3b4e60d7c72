"""PAMN, the progressive attention memory network (Kim et al., CVPR 2019).

Video and subtitles are memories with one slot for each frame. First the question, then the answer attend to the
slots, so that irrelevant ones fade; after each step the memories are fused as the question requires, and the
belief in each candidate, initially from question and answer alone, is corrected.

The components and their order are the paper's; the equations are our rendering of them. A slot is the mean of the
frame's embedded regions or subtitle words through a two-layer network, and slots aren't averaged further, since
frames are two seconds apart already; question and answers are means of their words through one such network; each
candidate updates its own copy of the memory in the second step; a correction is the dot product of the candidate
with the fused memory, after a linear map with tanh.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from stage.data.batch import Batch
from stage.model.baselines.baseline import Baseline, Scored
from stage.model.baselines.inputs import Embedding, split_hypotheses
from stage.model.baselines.layers import masked_mean
from stage.model.config import SystemConfig
from stage.model.ops.dropout import Dropout
from stage.model.sequences import MASKED


class PamnConfig(SystemConfig):
    """`hidden` is the size of a memory slot."""

    kind: Literal["pamn"] = "pamn"
    hidden: int = Field(128, gt=0)
    embedding: int = Field(300, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)


class Pamn(Baseline):
    """Dual memory, two steps of attention, a belief after each."""

    config: PamnConfig

    def __init__(self, config: PamnConfig) -> None:
        super().__init__()
        self.config = config
        d, size, dropout = config.hidden, config.embedding, config.dropout
        self.embedding = Embedding(config.text_dim, config.region_dim, size, dropout)
        self.text = two_layers(size, d, dropout)
        self.video, self.subtitles = two_layers(size, d, dropout), two_layers(size, d, dropout)
        self.question_step, self.answer_step = ProgressiveAttention(d), ProgressiveAttention(d)
        self.question_correction = nn.Sequential(nn.Linear(d, d), nn.Tanh())
        self.answer_correction = nn.Sequential(nn.Linear(d, d), nn.Tanh())

    def forward(self, batch: Batch) -> Scored:
        texts, embed = split_hypotheses(batch), self.embedding
        question = self.text(masked_mean(embed.words(texts.question.values), texts.question.mask))[:, None]
        answers = self.text(masked_mean(embed.words(texts.answers.values), texts.answers.mask))  # (N, K, d)
        seen = self.video(masked_mean(embed.regions(batch.regions.elements), batch.regions.mask))
        said = self.subtitles(masked_mean(embed.words(batch.subtitles.elements), batch.subtitles.mask))
        memory = torch.stack([seen[batch.regions.of_frame], said[batch.subtitles.of_frame]], dim=1)
        memory = memory[:, :, None]  # (N, 2, 1, T, d)
        slots = batch.frame_mask[:, None, None]

        belief = (question * answers).sum(-1)
        memory = self.question_step(memory, slots, question)
        belief = belief + (self.question_correction(fuse(memory, slots, question)) * answers).sum(-1)
        memory = self.answer_step(memory, slots, answers)
        belief = belief + (self.answer_correction(fuse(memory, slots, question)) * answers).sum(-1)
        return Scored(belief.float())


class ProgressiveAttention(nn.Module):
    """One step: slots are weighted by their similarity to the query, and mapped.

    memory: (N, 2, 1 or K, T, d), slots: (N, 1, 1, T) which are real, query: (N, 1 or K, d) -> (N, 2, 1 or K, T, d)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.update = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])

    def forward(self, memory: Tensor, slots: Tensor, query: Tensor) -> Tensor:
        met = (memory * query[:, None, :, None]).sum(-1).float()
        weights = met.masked_fill(~slots, MASKED).softmax(-1).to(memory.dtype)
        attended = memory * weights[..., None]
        return torch.stack([update(attended[:, i]) for i, update in enumerate(self.update)], dim=1)


def fuse(memory: Tensor, slots: Tensor, question: Tensor) -> Tensor:
    """Dynamic modality fusion: each memory is summed over its slots, and weighted by its similarity to the question.

    (N, 2, 1 or K, T, d), question (N, 1, d) -> (N, 1 or K, d)
    """
    observed = memory.masked_fill(~slots[..., None], 0).sum(-2)
    weights = (observed * question[:, None]).sum(-1, keepdim=True).softmax(1)
    return (weights * observed).sum(1)


def two_layers(input_dim: int, dim: int, dropout: float) -> nn.Sequential:
    """(..., input_dim) -> (..., dim)"""
    return nn.Sequential(nn.Linear(input_dim, dim), nn.ReLU(), Dropout(dropout), nn.Linear(dim, dim))
