"""Examples: questions with features and labels, collated into batches.

See "From annotation to tensors" in docs/stage.md.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from stage.annotation.labels import positive_regions, span_in_frames
from stage.data.batch import NO_ANSWER, NO_SPAN, Batch, Context, GroundingTargets, Targets
from stage.media.alignment import aligned_sentences
from stage.types import Array, ClipFeatures, Question, Regions

Pairs = npt.NDArray[np.int64]


class Limits(BaseModel):
    """Lengths at which sequences are truncated, which bounds memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hypothesis_words: int = Field(40, gt=0)
    subtitle_words: int = Field(50, gt=0)
    """Of both sentences aligned with a frame, together."""
    frames: int = Field(300, gt=0)
    """In training, of those that are read, one every two seconds: of a longer clip, so many that contain the span.
    Prediction reads all."""
    regions: int = Field(20, gt=0)
    """Per frame; the best are kept."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question as unpadded arrays."""

    question: Question
    frames: tuple[int, ...]
    """The T numbered frames that the model reads."""
    hypotheses: tuple[Array, ...]
    """K arrays (words, D_text)"""
    sentences: tuple[tuple[int, ...], ...]
    """For each frame, the indices of the clip's sentences that are aligned with it."""
    subtitles: tuple[Array, ...]
    """For each frame, the words of its aligned sentences: (words, D_text)"""
    regions: tuple[Regions, ...]
    """For each frame, its best regions."""
    span: tuple[int, int] | None
    """First and last frame position of the true span."""
    grounding: tuple[tuple[int, Pairs], ...]
    """(frame position, (R, 2) rows (word, region) of the words that regions of this frame show)"""


def make_example(
    question: Question,
    clip: ClipFeatures,
    hypotheses: Sequence[Array],
    frames: tuple[int, ...],
    limits: Limits,
    last_frame: int | None = None,
) -> Example:
    """Align sentences with the frames, truncate to the limits, and compute the labels.

    hypotheses: for each candidate, the word vectors of question and answer; frames: numbered frames to read, all of
    them; last_frame: as for `frames_of_question`.
    """
    hypotheses = tuple(h[: limits.hypothesis_words] for h in hypotheses)
    aligned = aligned_sentences(frames, clip.clip.sentences)
    no_words = np.zeros((0, hypotheses[0].shape[1]), np.float32)
    subtitles = {  # neighbouring frames share their sentences
        sentences: np.concatenate([clip.words[i] for i in sentences])[: limits.subtitle_words]
        if sentences
        else no_words
        for sentences in set(aligned)
    }
    regions = tuple(_best(clip.regions.get(frame), limits.regions, clip) for frame in frames)
    return Example(
        question=question,
        frames=frames,
        hypotheses=hypotheses,
        sentences=tuple(aligned),
        subtitles=tuple(subtitles[sentences] for sentences in aligned),
        regions=regions,
        span=span_in_frames(question.span, frames, clip.clip.frame_count, last_frame)
        if question.span
        else None,
        grounding=_grounding(question, frames, regions, hypotheses),
    )


def _best(regions: Regions | None, count: int, clip: ClipFeatures) -> Regions:
    if regions is None:  # a frame past the end, or one that no detector has processed
        return Regions.empty(clip.region_dim)
    if len(regions) <= count:
        return regions
    return Regions(
        regions.boxes[:count], regions.scores[:count], regions.features[:count], regions.labels[:count]
    )


def _grounding(
    question: Question,
    frames: Sequence[int],
    regions: Sequence[Regions],
    hypotheses: Sequence[Array],
) -> tuple[tuple[int, Pairs], ...]:
    """As `Example.grounding`: the words of the right hypothesis that regions show."""
    if question.answer_index is None:
        return ()
    right = question.answer_index
    words = question.hypotheses[right].split()[: len(hypotheses[right])]
    annotated = [position for position, frame in enumerate(frames) if question.boxes.get(frame)]
    rows = positive_regions(
        words,
        [question.boxes[frames[position]] for position in annotated],
        [regions[position].boxes for position in annotated],
    )
    first = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    by_frame = np.split(rows, first[1:])
    return tuple((annotated[pairs[0, 0]], pairs[:, 1:]) for pairs in by_frame if len(pairs))


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch. All must have the same number of candidates.

    Regions and subtitles that several frames or questions share are stored once.
    """
    frames = [len(e.frames) for e in examples]
    words, word_mask = pad([h for e in examples for h in e.hypotheses])
    candidates = len(examples[0].hypotheses)
    frame_mask = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    subtitles = _context(
        [e.subtitles for e in examples],
        [[(e.question.clip, sentences) for sentences in e.sentences] for e in examples],
        frame_mask,
    )
    regions = _context(
        [[r.features for r in e.regions] for e in examples],
        [[(e.question.clip, frame) for frame in e.frames] for e in examples],
        frame_mask,
    )
    return Batch(
        words.unflatten(0, (-1, candidates)),
        word_mask.unflatten(0, (-1, candidates)),
        subtitles,
        regions,
        frame_mask,
        _targets(examples, regions.mask.shape[-1]),
        torch.tensor([min(len(e.question.text.split()), len(e.hypotheses[0])) for e in examples]),
    )


def _context(
    arrays: Sequence[Sequence[Array]], keys: Sequence[Sequence[Hashable]], frame_mask: Tensor
) -> Context:
    """The arrays of every question's frames; arrays with the same key are stored once."""
    index: dict[Hashable, int] = {}
    distinct: list[Array] = []
    of_frame = torch.zeros(frame_mask.shape, dtype=torch.long)
    for n, (frame_arrays, frame_keys) in enumerate(zip(arrays, keys, strict=True)):
        for array, key in zip(frame_arrays, frame_keys, strict=True):
            if key not in index:
                index[key] = len(distinct)
                distinct.append(array)
        of_frame[n, : len(frame_keys)] = torch.tensor([index[key] for key in frame_keys])
    return Context(*pad(distinct), of_frame)


def pad(arrays: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Arrays (length, D) -> (arrays, longest, D) and its mask (arrays, longest), which is false for padding."""
    lengths = np.array([len(a) for a in arrays])
    longest = int(lengths.max(initial=0))
    mask = np.arange(longest) < lengths[:, None]
    padded = np.zeros((len(arrays), longest, arrays[0].shape[1]), np.float32)
    padded[mask] = np.concatenate(arrays)
    return torch.from_numpy(padded), torch.from_numpy(mask)


def _targets(examples: Sequence[Example], regions: int) -> Targets | None:
    indices = [e.question.answer_index for e in examples]
    if all(index is None and e.span is None for index, e in zip(indices, examples, strict=True)):
        return None
    answers = torch.tensor([NO_ANSWER if index is None else index for index in indices])
    start, end = torch.tensor([e.span or (NO_SPAN, NO_SPAN) for e in examples]).unbind(1)
    return Targets(answers, start, end, _grounding_targets(examples, regions))


def _grounding_targets(examples: Sequence[Example], regions: int) -> GroundingTargets | None:
    rows = [
        np.column_stack([np.full(len(pairs), n), np.full(len(pairs), position), pairs])
        for n, e in enumerate(examples)
        for position, pairs in e.grounding
    ]
    if not rows:
        return None
    question, frame, word, region = np.concatenate(rows).T
    distinct, row = np.unique(np.column_stack([question, frame, word]), axis=0, return_inverse=True)
    positive = np.zeros((len(distinct), regions), bool)
    positive[row, region] = True
    questions, frames, words = torch.from_numpy(distinct).long().unbind(1)
    return GroundingTargets(questions, frames, words, torch.from_numpy(positive))
