"""Inputs of the baselines: questions apart from answers, contexts as sequences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stage.data.batch import Batch, Context
from stage.model.baselines.layers import gather_real
from stage.model.encoder import VectorEmbedding
from stage.model.sequences import PaddedSequences


class Embedding(nn.Module):
    """Word and region vectors to a common size, each with its own map (like the first layer of STAGE)."""

    def __init__(self, text_dim: int, region_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.words = VectorEmbedding(text_dim, dim, dropout)
        self._regions = VectorEmbedding(region_dim, dim, dropout)

    def regions(self, regions: Tensor) -> Tensor:
        """(..., region_dim) -> (..., dim)"""
        embedded: Tensor = self._regions(F.normalize(regions, dim=-1))
        return embedded


@dataclass(frozen=True, slots=True)
class Texts:
    """Question and answers of a batch, separated."""

    question: PaddedSequences
    """(N, L_q, D)"""
    answers: PaddedSequences
    """(N, K, L_a, D)"""


def split_hypotheses(batch: Batch) -> Texts:
    """Separate question and answers.

    A BERT's word vectors of the question depend on the answer that follows it, so the question is their mean over the
    hypotheses: it is read once, and does not depend on the order of the candidates.
    """
    if batch.question_lengths is None:
        raise ValueError("a batch without question_lengths can't be separated into questions and answers")
    asked = torch.arange(batch.words.shape[2], device=batch.words.device) < batch.question_lengths[:, None]
    longest = int(batch.question_lengths.max())
    answers = gather_real(batch.words.flatten(0, 1), (batch.word_mask & ~asked[:, None]).flatten(0, 1))
    candidates = batch.words.shape[:2]
    return Texts(
        PaddedSequences(batch.words[:, :, :longest].mean(1), asked[:, :longest]),
        PaddedSequences(answers.values.unflatten(0, candidates), answers.mask.unflatten(0, candidates)),
    )


def as_sequence(elements: Tensor, context: Context, frame_mask: Tensor) -> PaddedSequences:
    """The contexts of the given frames (N, T) as one sequence per question: (N, C, D).

    elements: those of the context, (contexts, L, D). Consecutive frames are often aligned with the same sentences,
    which are then not repeated.
    """
    again = (context.of_frame[:, 1:] == context.of_frame[:, :-1]) & frame_mask[:, :-1]
    mask = context.mask[context.of_frame] & (frame_mask & ~F.pad(again, (1, 0)))[..., None]
    return gather_real(elements[context.of_frame].flatten(1, 2), mask.flatten(1, 2))


def by_frame(elements: Tensor, context: Context, frame_mask: Tensor) -> PaddedSequences:
    """The context of every frame: elements (contexts, L, D) -> (N, T, L, D)."""
    return PaddedSequences(elements[context.of_frame], context.mask[context.of_frame] & frame_mask[..., None])


def annotated_frames(batch: Batch) -> Tensor:
    """(N, T) the frames of the true span; the whole clip where it is unknown."""
    targets = batch.targets
    if targets is None:
        return batch.frame_mask
    at = torch.arange(batch.frame_mask.shape[1], device=batch.frame_mask.device)
    inside = (at >= targets.start[:, None]) & (at <= targets.end[:, None])
    return batch.frame_mask & (inside | ~targets.has_span[:, None])
