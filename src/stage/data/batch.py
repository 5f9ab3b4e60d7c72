"""The tensors of several questions: what the model, the losses and nothing else read."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")
NO_SPAN = NO_ANSWER = -1


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
    """The truth of a batch, as far as it is known."""

    answer: Tensor
    """(N,) index of the right answer; NO_ANSWER where none is known, which can't be trained on"""
    start: Tensor
    """(N,) position of the first frame of the true span; NO_SPAN where none is known"""
    end: Tensor
    """(N,) position of its last frame"""
    grounding: GroundingTargets | None

    @property
    def has_span(self) -> Tensor:
        """(N,) whether the true span is known"""
        return self.start != NO_SPAN


@dataclass(frozen=True, slots=True)
class Context:
    """Sequences that frames look at, each kept once, however many frames and questions share it. C of them."""

    elements: Tensor
    """(C, L, D) the words of aligned sentences, or the regions of a picture; L may be 0"""
    mask: Tensor
    """(C, L)"""
    of_frame: Tensor
    """(N, T) which of them belongs to a frame; any where there is no frame"""

    def by_frame(self) -> tuple[Tensor, Tensor]:
        """Elements (N, T, L, D) and their mask (N, T, L), repeated for every frame."""
        return self.elements[self.of_frame], self.mask[self.of_frame]

    @classmethod
    def of_all(cls, elements: Tensor, mask: Tensor) -> Context:
        """A context of its own for every frame: elements (N, T, L, D), mask (N, T, L)."""
        questions, frames = mask.shape[:2]
        of_frame = torch.arange(questions * frames, device=mask.device).view(questions, frames)
        return cls(elements.flatten(0, 1), mask.flatten(0, 1), of_frame)


@dataclass(frozen=True, slots=True)
class Batch:
    """N questions with K hypotheses each, padded. Masks are true for what is real."""

    words: Tensor
    """(N, K, L_h, D_text) the words of question and answer k"""
    word_mask: Tensor
    """(N, K, L_h)"""
    dialogue: Context
    """The words of each frame's aligned sentences: (S, L_s, D_text)"""
    pictures: Context
    """The regions of each frame: (P, N_o, D_region)"""
    frame_mask: Tensor
    """(N, T)"""
    targets: Targets | None = None
    """None if nothing is known of any question."""
    question_lengths: Tensor | None = None
    """(N,) how many of a hypothesis' words are the question's; the others are the answer's"""

    def __len__(self) -> int:
        return len(self.words)

    @property
    def region_mask(self) -> Tensor:
        """(N, T, N_o) the regions of every frame"""
        return self.pictures.mask[self.pictures.of_frame] & self.frame_mask[..., None]

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
