"""Baselines with random weights, and batches that they can overfit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from samples.data_folder import REGION_DIM, TEXT_DIM
from stage.data.batch import Batch, Context, GroundingTargets, Targets
from stage.model.build import KINDS, VideoQASystem, build_model

HIDDEN = 16
SYSTEMS: dict[str, dict[str, Any]] = {
    "two_stream": {"kind": "two_stream"},
    "two_stream, video": {"kind": "two_stream", "streams": "video"},
    "two_stream, within the span": {"kind": "two_stream", "within_span": True},
    "st_vqa": {"kind": "st_vqa"},
    "late_fusion, rnn": {"kind": "late_fusion", "encoder": "rnn"},
    "late_fusion, cnn": {"kind": "late_fusion", "encoder": "cnn"},
    "pamn": {"kind": "pamn"},
    "multi_task": {"kind": "multi_task"},
}


def make_model(name: str) -> VideoQASystem:
    torch.manual_seed(1)
    settings = {"hidden": HIDDEN, "embedding": 14, "dropout": 0, **SYSTEMS[name]}
    config = KINDS[settings["kind"]].model_validate(
        {**settings, "text_dim": TEXT_DIM, "region_dim": REGION_DIM}
    )
    return build_model(config).eval()


def make_batch(questions: int = 4, hypotheses: int = 3, frames: int = 6) -> Batch:
    """Ragged questions; padding contains large values that must not be seen."""
    g = torch.Generator().manual_seed(2)

    def ragged(*shape: int, low: int) -> tuple[Tensor, Tensor]:
        *outer, longest, _ = shape
        mask = torch.arange(longest) < torch.randint(low, longest + 1, outer, generator=g)[..., None]
        return torch.where(mask[..., None], torch.randn(*shape, generator=g), 100.0), mask

    words, word_mask = ragged(questions, hypotheses, 9, TEXT_DIM, low=5)
    lengths = torch.arange(questions) % 3 + 2
    asked = torch.arange(9) < lengths[:, None]
    words = torch.where(asked[:, None, :, None], words[:, :1], words)
    frame_mask = torch.arange(frames) < torch.arange(frames - questions + 1, frames + 1)[:, None]
    spoken, spoken_mask = ragged(questions, frames, 5, TEXT_DIM, low=0)
    seen, seen_mask = ragged(questions, frames, 4, REGION_DIM, low=1)
    answer = torch.arange(questions) % hypotheses
    shown = GroundingTargets(
        torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([0, 1]), torch.eye(4)[:2].bool()
    )
    targets = Targets(answer, torch.ones(questions).long(), torch.full((questions,), 2), shown)
    return Batch(
        words,
        word_mask,
        Context.per_frame(spoken, spoken_mask & frame_mask[..., None]),
        Context.per_frame(seen, seen_mask & frame_mask[..., None]),
        frame_mask,
        targets,
        lengths,
    )
