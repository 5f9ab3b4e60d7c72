"""The tensors of several questions: what the model, the losses and nothing else read."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GroundingTargets:
    """Which regions show a word, for every word and frame with at least one such region. R rows."""

    question: Tensor
    """(R,) position in the batch"""
    frame: Tensor
    """(R,) position in the question's list of frames"""
    word: Tensor
    """(R,) position in the words of the correct hypothesis"""
    positive: Tensor
    """(R, N_o) true for the regions that show the word"""


@dataclass(frozen=True, slots=True)
class Targets:
    """The truth of a batch, for training."""

    answer: Tensor
    """(N,) index of the right answer"""
    start: Tensor | None
    """(N,) position of the first frame of the true span"""
    end: Tensor | None
    """(N,) position of its last frame"""
    grounding: GroundingTargets | None


@dataclass(frozen=True, slots=True)
class Batch:
    """N questions with K hypotheses each, padded. Masks are true for what is real."""

    words: Tensor
    """(N, K, L_h, D_text) the words of question and answer k"""
    word_mask: Tensor
    """(N, K, L_h)"""
    subtitles: Tensor
    """(N, T, L_s, D_text) the words of each frame's aligned sentences; L_s may be 0"""
    subtitle_mask: Tensor
    """(N, T, L_s)"""
    regions: Tensor
    """(N, T, N_o, D_region); N_o may be 0"""
    region_mask: Tensor
    """(N, T, N_o)"""
    frame_mask: Tensor
    """(N, T)"""
    targets: Targets | None = None

    def __len__(self) -> int:
        return len(self.words)

    def split_frames(self, count: int) -> list[Batch]:
        """The same questions over consecutive pieces of their clips, `count` frames each; without targets."""
        pieces = zip(
            self.subtitles.split(count, 1),
            self.subtitle_mask.split(count, 1),
            self.regions.split(count, 1),
            self.region_mask.split(count, 1),
            self.frame_mask.split(count, 1),
            strict=True,
        )
        return [Batch(self.words, self.word_mask, *piece) for piece in pieces]

    def to(self, device: torch.device | str) -> Batch:
        return move(self, torch.device(device))


def move(thing: T, device: torch.device) -> T:
    """A copy of a (nested) frozen dataclass of tensors on another device."""
    moved: Any = thing
    if isinstance(thing, Tensor):
        moved = thing.to(device, non_blocking=True)
    elif is_dataclass(thing) and not isinstance(thing, type):
        moved = replace(thing, **{f.name: move(getattr(thing, f.name), device) for f in fields(thing)})
    return cast(T, moved)
