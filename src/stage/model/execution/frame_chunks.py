"""Frames in chunks: a film of any length fits in memory, and in a CPU's cache.

Frames don't see each other until spans are predicted. So the frames of a batch are fused chunk by chunk, and a film
of any length fits in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stage.data.batch import Batch
from stage.model.execution.padding import round_up
from stage.model.outputs import FrameEncoding
from stage.model.sequences import MASKED, PaddedSequences

FRAMES_PER_CHUNK = 128
"""What a loop over these touches stays in a CPU's cache."""
FRAMES_PER_CHUNK_GPU = 2048
"""A GPU finishes small chunks before the next one is launched."""


@dataclass(frozen=True, slots=True)
class FrameChunk:
    """B consecutive real frames, of n consecutive questions: which rows of the batch they need."""

    questions: Tensor
    """(n,) position in the batch"""
    words: int
    """Length of the longest hypothesis of these questions."""
    question_of_frame: Tensor
    """(B,) position among these questions"""
    regions: Tensor
    """(B,) row of the batch's regions"""
    question_of_pair: Tensor
    """(P,) position among these questions, for each distinct pair of question and subtitles"""
    subtitles: Tensor
    """(P,) row of the batch's subtitles"""
    pair_of_frame: Tensor
    """(B,) the pair of each frame"""

    def rounded_up(self) -> FrameChunk:
        """With sizes that recur: the last frame and the last pair are repeated."""
        frames, pairs = round_up(len(self.regions)), round_up(len(self.subtitles))
        return FrameChunk(
            self.questions,
            round_up(self.words),
            _repeat_last(self.question_of_frame, frames),
            _repeat_last(self.regions, frames),
            _repeat_last(self.question_of_pair, pairs),
            _repeat_last(self.subtitles, pairs),
            _repeat_last(self.pair_of_frame, frames),
        )


def _repeat_last(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows[-1:].expand(length - len(rows))])


@dataclass(frozen=True, slots=True)
class FrameInputs:
    """B frames, encoded: each with its question's hypotheses, its regions and its subtitles.

    Frames of a question with the same subtitles share one of P pairs of the two.
    """

    hypotheses: PaddedSequences
    """(n, K, L_h, d)"""
    question_of_frame: Tensor
    """(B,) row of the hypotheses"""
    regions: PaddedSequences | None
    """(B, N_o, d)"""
    question_of_pair: Tensor
    """(P,) row of the hypotheses"""
    subtitles: PaddedSequences | None
    """(P, L_s, d)"""
    pair_of_frame: Tensor
    """(B,) row of the subtitles"""


def fuse_in_chunks(
    fuse: Callable[[FrameInputs], FrameEncoding],
    batch: Batch,
    hypotheses: PaddedSequences,
    regions: PaddedSequences | None,
    subtitles: PaddedSequences | None,
    *,
    exact: bool,
) -> FrameEncoding:
    """Fuse all real frames of a batch, chunk by chunk; padding where there is no frame.

    hypotheses: (N, K, L_h, d); regions, subtitles: one row for each distinct context of the batch. exact: all frames
    in one chunk, in exactly the sizes of the batch. Returns frames (N, T, K, d), scores (N, T, K, L_h, N_o or L_s).
    """
    chunks = chunk_frames(batch, together=exact)
    inputs = frame_inputs(
        chunks if exact else [chunk.rounded_up() for chunk in chunks], hypotheses, regions, subtitles
    )
    encodings = [_fit(fuse(of_chunk), chunk, batch) for of_chunk, chunk in zip(inputs, chunks, strict=True)]
    return FrameEncoding(
        scatter_frames([e.frames for e in encodings], batch.frame_mask, 0.0),
        _scatter_scores([e.region_scores for e in encodings], batch.frame_mask),
        _scatter_scores([e.subtitle_scores for e in encodings], batch.frame_mask),
    )


def frame_inputs(
    chunks: Sequence[FrameChunk],
    hypotheses: PaddedSequences,
    regions: PaddedSequences | None,
    subtitles: PaddedSequences | None,
) -> list[FrameInputs]:
    """The encoded rows that each chunk needs."""
    nothing: list[PaddedSequences | None] = [None] * len(chunks)
    of_questions = hypotheses.split([chunk.questions for chunk in chunks])
    of_frames = regions.split([chunk.regions for chunk in chunks]) if regions is not None else nothing
    of_pairs = subtitles.split([chunk.subtitles for chunk in chunks]) if subtitles is not None else nothing
    return [
        FrameInputs(
            hypotheses=of_chunk.cut(chunk.words),
            question_of_frame=chunk.question_of_frame,
            regions=seen,
            question_of_pair=chunk.question_of_pair,
            subtitles=said,
            pair_of_frame=chunk.pair_of_frame,
        )
        for chunk, of_chunk, seen, said in zip(chunks, of_questions, of_frames, of_pairs, strict=True)
    ]


def chunk_frames(batch: Batch, *, together: bool = False, by_question: bool = False) -> list[FrameChunk]:
    """All real frames of a batch in order. together: in one chunk, with all padding of words."""
    question = batch.frame_mask.nonzero()[:, 0]
    regions, subtitles = (c.of_frame[batch.frame_mask] for c in (batch.regions, batch.subtitles))
    count = max(1, len(batch.subtitles.elements))
    lengths = batch.word_mask.sum(-1).amax(-1).tolist()
    frames = batch.frame_mask.sum(1).tolist()
    device = batch.words.device
    size = FRAMES_PER_CHUNK if device.type == "cpu" else FRAMES_PER_CHUNK_GPU
    cuts = _cuts(frames if by_question else [sum(frames)], size)
    chunks = []
    for first, last in [(0, sum(frames))] if together else cuts:
        low, high = int(question[first]), int(question[last - 1]) + 1
        local = question[first:last] - low
        # Frames of a question with the same subtitles share what it attends to in them.
        pairs, pair_of_frame = torch.unique(local * count + subtitles[first:last], return_inverse=True)
        chunks.append(
            FrameChunk(
                torch.arange(low, high, device=device),
                batch.word_mask.shape[-1] if together else max(lengths[low:high]),
                local,
                regions[first:last],
                pairs // count,
                pairs % count,
                pair_of_frame,
            )
        )
    return chunks


def _cuts(counts: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Runs of at most `size` that don't cross the borders between counts."""
    first = 0
    for count in counts:
        for start in range(first, first + count, size):
            yield start, min(start + size, first + count)
        first += count


def _fit(encoding: FrameEncoding, chunk: FrameChunk, batch: Batch) -> FrameEncoding:
    """The chunk's real frames alone, with scores (B, K, L_h, N_o or L_s) as long as the batch is."""
    frames, hypotheses, words = (
        len(chunk.question_of_frame),
        encoding.frames.shape[1],
        batch.word_mask.shape[-1],
    )

    def fitted(scores: Tensor | None, elements: int) -> Tensor | None:
        return None if scores is None else pad_scores(scores[:frames], hypotheses, words, elements)

    return FrameEncoding(
        encoding.frames[:frames],
        fitted(encoding.region_scores, batch.regions.mask.shape[-1]),
        fitted(encoding.subtitle_scores, batch.subtitles.mask.shape[-1]),
    )


def pad_scores(scores: Tensor, hypotheses: int, words: int, elements: int) -> Tensor:
    """(B, K * words of the chunk, C of the chunk) -> (B, K, words, elements), masked where the chunk had none."""
    by_hypothesis = scores.unflatten(1, (hypotheses, -1))
    missing = words - by_hypothesis.shape[2], elements - by_hypothesis.shape[3]
    return F.pad(by_hypothesis, (0, missing[1], 0, missing[0]), value=MASKED)


def _scatter_scores(scores: Sequence[Tensor | None], frame_mask: Tensor) -> Tensor | None:
    given = [of_chunk for of_chunk in scores if of_chunk is not None]
    return scatter_frames(given, frame_mask, MASKED) if given else None


def scatter_frames(rows: Sequence[Tensor], frame_mask: Tensor, fill: float) -> Tensor:
    """What the chunks give for their frames, (B, ...) each -> (N, T, ...), `fill` where there is no frame."""
    flat = torch.cat(list(rows))
    spread = flat.new_full((*frame_mask.shape, *flat.shape[1:]), fill)
    spread[frame_mask] = flat
    return spread
