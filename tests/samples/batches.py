"""Ragged batches for STAGE, and models with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stage.data.batch import Batch, Context, GroundingTargets, Targets
from stage.model.config import StageConfig, Streams
from stage.model.stage import Stage

SIZES = {"text_dim": 12, "region_dim": 10, "hidden": 16, "embedding": 14}
STREAMS: list[Streams] = ["both", "video", "subtitles", "none"]


def make_model(streams: Streams = "both", local_features: bool = True, **settings: Any) -> Stage:
    torch.manual_seed(1)
    config = StageConfig(streams=streams, local_features=local_features, **{**SIZES, **settings})
    model = Stage(config).eval()
    for parameter in model.parameters():  # LayerNorm starts at one and zero, which would hide mistakes
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def lengths_to_mask(lengths: Tensor, longest: int) -> Tensor:
    return torch.arange(longest) < lengths[..., None]


def make_batch(questions: int = 3, hypotheses: int = 4, frames: int = 7) -> Batch:
    """Ragged questions; padding contains large values that must not be seen."""
    g = torch.Generator().manual_seed(2)

    def ragged(*shape: int, low: int) -> tuple[Tensor, Tensor]:
        *outer, longest, _ = shape
        mask = lengths_to_mask(torch.randint(low, longest + 1, outer, generator=g), longest)
        values = torch.randn(*shape, generator=g)
        return torch.where(mask[..., None], values, 100.0), mask

    words, word_mask = ragged(questions, hypotheses, 9, SIZES["text_dim"], low=3)
    subtitles, subtitle_mask = ragged(questions, frames, 8, SIZES["text_dim"], low=0)
    regions, region_mask = ragged(questions, frames, 6, SIZES["region_dim"], low=1)
    frame_mask = lengths_to_mask(torch.arange(frames - questions + 1, frames + 1), frames)
    region_mask &= frame_mask[..., None]
    subtitle_mask &= frame_mask[..., None]
    grounding = GroundingTargets(
        question=torch.tensor([0, 1]),
        frame=torch.tensor([1, 2]),
        word=torch.tensor([0, 2]),
        positive=torch.tensor([[True] + [False] * 5, [True] + [False] * 5]),
    )
    targets = Targets(
        torch.arange(questions), torch.zeros(questions).long(), torch.ones(questions).long(), grounding
    )
    return Batch(
        words,
        word_mask,
        Context.per_frame(subtitles, subtitle_mask),
        Context.per_frame(regions, region_mask),
        frame_mask,
        targets,
    )


def alone(batch: Batch, n: int) -> Batch:
    """Question n cut to its own lengths."""
    hypothesis_words = int(batch.word_mask[n].sum(-1).max())
    frames = int(batch.frame_mask[n].sum())

    def cut(context: Context) -> Context:
        elements, mask = context.by_frame()
        longest = max(1, int(mask[n].sum(-1).max()))
        return Context.per_frame(elements[n : n + 1, :frames, :longest], mask[n : n + 1, :frames, :longest])

    return Batch(
        batch.words[n : n + 1, :, :hypothesis_words],
        batch.word_mask[n : n + 1, :, :hypothesis_words],
        cut(batch.subtitles),
        cut(batch.regions),
        batch.frame_mask[n : n + 1, :frames],
    )
