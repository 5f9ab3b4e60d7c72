"""A batch: the input tensors of the model and the targets of the losses."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")
NO_SPAN = NO_ANSWER = -1


@dataclass(frozen=True, slots=True)
class GroundingTargets:
    """Which regions show a word, for the R (word, frame) pairs with at least one such region."""

    question: Tensor
    """(R,) position of the question in the batch"""
    frame: Tensor
    """(R,) position in the question's list of frames"""
    word: Tensor
    """(R,) position in the words of the right hypothesis"""
    positive: Tensor
    """(R, N_o) true for the regions that show the word"""


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels of a batch, where known."""

    answer: Tensor
    """(N,) index of the right answer; NO_ANSWER for unlabelled questions, which can't be trained on"""
    start: Tensor
    """(N,) position of the first frame of the true span; NO_SPAN for questions without one"""
    end: Tensor
    """(N,) position of its last frame"""
    grounding: GroundingTargets | None
    """None if no region of the batch shows a word."""

    @property
    def has_span(self) -> Tensor:
        """(N,) true for questions with a true span"""
        return self.start != NO_SPAN


@dataclass(frozen=True, slots=True)
class Context:
    """What frames are grounded in: C distinct sequences, stored once even if frames or questions share them."""

    elements: Tensor
    """(C, L, D) the words of aligned sentences, or the regions of a frame; L may be 0"""
    mask: Tensor
    """(C, L)"""
    of_frame: Tensor
    """(N, T) index of each frame's sequence; arbitrary for padding"""

    def by_frame(self) -> tuple[Tensor, Tensor]:
        """Elements (N, T, L, D) and their mask (N, T, L), gathered for every frame."""
        return self.elements[self.of_frame], self.mask[self.of_frame]

    @classmethod
    def per_frame(cls, elements: Tensor, mask: Tensor) -> Context:
        """A separate sequence for every frame: elements (N, T, L, D), mask (N, T, L). The inverse of `by_frame`."""
        questions, frames = mask.shape[:2]
        of_frame = torch.arange(questions * frames, device=mask.device).view(questions, frames)
        return cls(elements.flatten(0, 1), mask.flatten(0, 1), of_frame)


@dataclass(frozen=True, slots=True)
class Batch:
    """N questions with K hypotheses each, padded. Masks are false for padding."""

    words: Tensor
    """(N, K, L_h, D_text) the words of question and answer k"""
    word_mask: Tensor
    """(N, K, L_h)"""
    subtitles: Context
    """The words of each frame's aligned sentences: elements (C, L_s, D_text)"""
    regions: Context
    """The regions of each frame: elements (C, N_o, D_region)"""
    frame_mask: Tensor
    """(N, T)"""
    targets: Targets | None = None
    """None if no question of the batch is labelled."""
    question_lengths: Tensor | None = None
    """(N,) number of words of a hypothesis that belong to the question; the others are the answer's"""

    def __len__(self) -> int:
        return len(self.words)

    @property
    def region_mask(self) -> Tensor:
        """(N, T, N_o) true for the regions of real frames"""
        return self.regions.mask[self.regions.of_frame] & self.frame_mask[..., None]

    def to(self, device: torch.device | str) -> Batch:
        """A copy on another device."""
        return move(self, torch.device(device))


def move(value: T, device: torch.device) -> T:
    """A copy of a (nested) frozen dataclass of tensors on another device."""
    moved: Any = value
    if isinstance(value, Tensor):
        moved = value.to(device, non_blocking=True)
    elif is_dataclass(value) and not isinstance(value, type):
        moved = replace(value, **{f.name: move(getattr(value, f.name), device) for f in fields(value)})
    return cast(T, moved)
