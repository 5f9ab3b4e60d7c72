"""From questions and features to the tensors of a batch (see "From annotation to tensors" in docs/stage.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from stage.annotation.labels import frames_of_question, positive_regions, span_in_frames
from stage.batch import Batch, GroundingTargets, Targets
from stage.media.alignment import aligned_sentences
from stage.types import Array, ClipFeatures, Question, Regions

Pairs = npt.NDArray[np.int64]


class Limits(BaseModel):
    """Where sequences are cut, so that one long clip can't take all memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hypothesis_words: int = Field(40, gt=0)
    subtitle_words: int = Field(50, gt=0)
    """Of the two sentences aligned with a frame, together."""
    frames: int = Field(300, gt=0)
    regions: int = Field(20, gt=0)
    """The best regions of a frame that are kept."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question as arrays of its own lengths."""

    question: Question
    frames: tuple[int, ...]
    """Numbered frames that the model sees, T of them."""
    hypotheses: tuple[Array, ...]
    """K arrays (words, D_text)"""
    sentences: tuple[tuple[int, ...], ...]
    """For each frame, which sentences of the clip are aligned with it."""
    subtitles: tuple[Array, ...]
    """For each frame, the words of its aligned sentences: (words, D_text)"""
    regions: tuple[Regions, ...]
    """For each frame, the best regions."""
    span: tuple[int, int] | None
    """First and last frame position of the true span."""
    grounding: tuple[tuple[int, Pairs], ...]
    """(frame position, rows (word, region) of the words that regions of this frame show)"""


def training_frames(question: Question, clip: ClipFeatures, limits: Limits) -> tuple[int, ...]:
    """The numbered frames that a question of a data set is trained and scored on."""
    return frames_of_question(question, clip.clip.frame_count)[: limits.frames]


def make_example(
    question: Question,
    clip: ClipFeatures,
    hypotheses: Sequence[Array],
    frames: tuple[int, ...],
    limits: Limits,
) -> Example:
    """Align sentences with the frames, and find out which regions show the words of the question.

    hypotheses: for each candidate, the word vectors of question and answer; frames: numbered frames to look at.
    """
    aligned = aligned_sentences(frames, clip.clip.sentences)
    nothing = np.zeros((0, hypotheses[0].shape[1]), np.float32)
    subtitles = [
        np.concatenate([clip.words[i] for i in found])[: limits.subtitle_words] if found else nothing
        for found in aligned
    ]
    regions = tuple(_best(clip.regions.get(frame), limits.regions, clip) for frame in frames)
    return Example(
        question=question,
        frames=frames,
        hypotheses=tuple(h[: limits.hypothesis_words] for h in hypotheses),
        sentences=tuple(aligned),
        subtitles=tuple(subtitles),
        regions=regions,
        span=span_in_frames(question.span, frames, clip.clip.frame_count) if question.span else None,
        grounding=_grounding(question, frames, regions, limits),
    )


def _best(regions: Regions | None, count: int, clip: ClipFeatures) -> Regions:
    if regions is None:  # a frame past the end, or one that no detector has seen
        width = next((r.features.shape[1] for r in clip.regions.values()), 0)
        empty = np.zeros((0,), np.float32)
        return Regions(empty.reshape(0, 4), empty, empty.reshape(0, width))
    if len(regions) <= count:
        return regions
    return Regions(
        regions.boxes[:count], regions.scores[:count], regions.features[:count], regions.labels[:count]
    )


def _grounding(
    question: Question, frames: Sequence[int], regions: Sequence[Regions], limits: Limits
) -> tuple[tuple[int, Pairs], ...]:
    if question.answer_index is None:
        return ()
    words = question.hypotheses[question.answer_index].split()[: limits.hypothesis_words]
    found = []
    for position, frame in enumerate(frames):
        if annotated := question.boxes.get(frame):
            pairs = positive_regions(words, annotated, regions[position].boxes)
            if len(pairs):
                found.append((position, pairs))
    return tuple(found)


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch. All must have the same number of candidates."""
    frames = [len(e.frames) for e in examples]
    words, word_mask = pad([h for e in examples for h in e.hypotheses])
    candidates = len(examples[0].hypotheses)
    subtitles, subtitle_mask = pad([s for e in examples for s in e.subtitles])
    regions, region_mask = pad([r.features for e in examples for r in e.regions])
    frame_mask = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    return Batch(
        words.unflatten(0, (-1, candidates)),
        word_mask.unflatten(0, (-1, candidates)),
        _to_frames(subtitles, frame_mask),
        _to_frames(subtitle_mask, frame_mask),
        _to_frames(regions, frame_mask),
        _to_frames(region_mask, frame_mask),
        frame_mask,
        _targets(examples, region_mask.shape[-1]),
    )


def pad(arrays: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Arrays (length, D) -> (arrays, longest, D) and a mask that is true where there is data."""
    lengths = np.array([len(a) for a in arrays])
    longest = int(lengths.max(initial=0))
    mask = np.arange(longest) < lengths[:, None]
    padded = np.zeros((len(arrays), longest, arrays[0].shape[1]), np.float32)
    padded[mask] = np.concatenate(arrays)
    return torch.from_numpy(padded), torch.from_numpy(mask)


def _to_frames(rows: Tensor, frame_mask: Tensor) -> Tensor:
    """Rows of all real frames, one after the other -> (N, T, ...), zero elsewhere."""
    spread = rows.new_zeros(*frame_mask.shape, *rows.shape[1:])
    spread[frame_mask] = rows
    return spread


def _targets(examples: Sequence[Example], regions: int) -> Targets | None:
    answers = [e.question.answer_index for e in examples]
    if any(answer is None for answer in answers):
        return None
    spans = [e.span for e in examples if e.span is not None]
    start = end = None
    if len(spans) == len(examples):
        start, end = torch.tensor(spans, dtype=torch.long).unbind(1)
    return Targets(torch.tensor(answers, dtype=torch.long), start, end, _grounding_targets(examples, regions))


def _grounding_targets(examples: Sequence[Example], regions: int) -> GroundingTargets | None:
    rows = [
        np.column_stack([np.full(len(pairs), n), np.full(len(pairs), position), pairs])
        for n, e in enumerate(examples)
        for position, pairs in e.grounding
    ]
    if not rows:
        return None
    question, frame, word, region = np.concatenate(rows).T
    places, row = np.unique(np.column_stack([question, frame, word]), axis=0, return_inverse=True)
    positive = np.zeros((len(places), regions), bool)
    positive[row, region] = True
    questions, frames, words = torch.from_numpy(places).long().unbind(1)
    return GroundingTargets(questions, frames, words, torch.from_numpy(positive))
