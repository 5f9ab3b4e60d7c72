"""Which frames of a batch are grounded together.

Frames don't see each other before the span is found. So they are taken without padding, as many at a time as keep a
processor busy, and a film of any length fits in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stage.data.batch import Batch
from stage.model.execution.padding import MASKED, round_up

FRAMES_PER_CHUNK = 128
"""So many that what a loop touches stays in a CPU's cache."""
FRAMES_PER_CHUNK_GPU = 2048
"""A GPU has long done what it is asked before the next is asked of it; so it is asked seldom, of much."""


@dataclass(frozen=True, slots=True)
class FrameChunk:
    """F real frames, one after the other, of one or several consecutive questions (n)."""

    questions: Tensor
    """(n,) position in the batch"""
    words: int
    """Length of their longest hypothesis."""
    question: Tensor
    """(F,) position among these questions"""
    picture: Tensor
    """(F,) row of the batch's pictures"""
    asking: Tensor
    """(P,) position among these questions, for each different pair of question and dialogue"""
    dialogue: Tensor
    """(P,) row of the batch's dialogue"""
    pair_of_frame: Tensor
    """(F,) which pair is a frame's"""

    def filled_up(self) -> FrameChunk:
        """With sizes that come again: the last frame and the last pair are repeated."""
        frames, pairs = self.question, self.asking
        return FrameChunk(
            self.questions,
            round_up(self.words),
            _repeat_last(self.question, round_up(len(frames))),
            _repeat_last(self.picture, round_up(len(frames))),
            _repeat_last(self.asking, round_up(len(pairs))),
            _repeat_last(self.dialogue, round_up(len(pairs))),
            _repeat_last(self.pair_of_frame, round_up(len(frames))),
        )


def _repeat_last(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows[-1:].expand(length - len(rows))])


def chunk_frames(batch: Batch, *, together: bool = False, by_question: bool = False) -> list[FrameChunk]:
    """All real frames of a batch in order. together: in one piece, with all padding of words."""
    question = batch.frame_mask.nonzero()[:, 0]
    picture, dialogue = (c.of_frame[batch.frame_mask] for c in (batch.pictures, batch.dialogue))
    count = max(1, len(batch.dialogue.elements))
    lengths = batch.word_mask.sum(-1).amax(-1).tolist()
    frames = batch.frame_mask.sum(1).tolist()
    device = batch.words.device
    at_once = FRAMES_PER_CHUNK if device.type == "cpu" else FRAMES_PER_CHUNK_GPU
    cuts = _cuts(frames if by_question else [sum(frames)], at_once)
    pieces = []
    for first, last in [(0, sum(frames))] if together else cuts:
        low, high = int(question[first]), int(question[last - 1]) + 1
        mine = question[first:last] - low
        # Frames of a question that are aligned with the same sentences share what it finds in them.
        pairs, pair_of_frame = torch.unique(mine * count + dialogue[first:last], return_inverse=True)
        pieces.append(
            FrameChunk(
                torch.arange(low, high, device=device),
                batch.word_mask.shape[-1] if together else max(lengths[low:high]),
                mine,
                picture[first:last],
                pairs // count,
                pairs % count,
                pair_of_frame,
            )
        )
    return pieces


def _cuts(counts: Sequence[int], at_once: int) -> Iterator[tuple[int, int]]:
    """Runs of at most `at_once` that don't cross the borders between counts."""
    first = 0
    for count in counts:
        for start in range(first, first + count, at_once):
            yield start, min(start + at_once, first + count)
        first += count


def scatter_frames(rows: Sequence[Tensor | None], frame_mask: Tensor, fill: float) -> Tensor:
    """What the pieces give for their frames, (F, ...) each -> (N, T, ...), `fill` where there is no frame."""
    flat = torch.cat([r for r in rows if r is not None])
    spread = flat.new_full((*frame_mask.shape, *flat.shape[1:]), fill)
    spread[frame_mask] = flat
    return spread


def fit(scores: Tensor, hypotheses: int, words: int, elements: int) -> Tensor:
    """(F, K * words of the piece, C of the piece) -> (F, K, words, elements), masked where the piece had none."""
    by_hypothesis = scores.unflatten(1, (hypotheses, -1))
    more = words - by_hypothesis.shape[2], elements - by_hypothesis.shape[3]
    return F.pad(by_hypothesis, (0, more[1], 0, more[0]), value=MASKED)
