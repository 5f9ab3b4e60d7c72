"""Questions to batches: random ones of like size for training, those of one clip together for answering."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from stage.data.batch import Batch
from stage.data.examples import Example, collate, training_frames
from stage.data.question_set import QuestionSet

ANSWERED_AT_ONCE = 32
FRAMES_ANSWERED_AT_ONCE = 512
"""Scores of all words and regions are kept for each of them."""


class Questions(Dataset[Example]):
    """The questions of a set as examples."""

    def __init__(self, questions: QuestionSet) -> None:
        self.questions = questions

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        return self.questions.example(index)


class LengthBucketSampler(Sampler[list[int]]):
    """Random batches of questions of like size, so that little of a batch is padding.

    Questions are shuffled, cut into pools of many batches, and each pool is sorted by size. The order depends on
    the seed and the epoch alone, so a resumed run sees what an unbroken one would have seen. Batches are given part
    by part, `at_once` questions at a time.
    """

    POOL = 16

    def __init__(self, sizes: Sequence[int], batch_size: int, at_once: int, seed: int) -> None:
        self.sizes = sizes
        self.batch_size = batch_size
        self.at_once = at_once
        self.seed = seed
        self.epoch = 0

    @property
    def sampler(self) -> LengthBucketSampler:
        """Where Lightning looks for what it tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sizes), self.batch_size)
        return whole * math.ceil(self.batch_size / self.at_once) + math.ceil(rest / self.at_once)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.sizes), generator=generator).tolist()
        pool = self.POOL * self.batch_size
        batches = []
        for first in range(0, len(order), pool):
            like = sorted(order[first : first + pool], key=self.sizes.__getitem__)
            batches += [like[i : i + self.batch_size] for i in range(0, len(like), self.batch_size)]
        whole = torch.randperm(len(order) // self.batch_size, generator=generator).tolist()
        # A short batch comes last, so that every step is one batch.
        for batch in [batches[i] for i in whole] + batches[len(whole) :]:
            yield from (batch[first : first + self.at_once] for first in range(0, len(batch), self.at_once))


def with_examples(examples: list[Example]) -> tuple[Batch, list[Example]]:
    """A batch, and what it was made of, which predictions are told by."""
    return collate(examples), examples


def answering_order(questions: QuestionSet) -> list[list[int]]:
    """Batches of questions: of one clip together, since they look at the same pictures; clips of like length too."""
    sizes, asked = questions.sizes(), questions.questions
    clips = [questions.clips[q.clip] for q in asked]
    frames = [len(training_frames(q, clip, questions.limits)) for q, clip in zip(asked, clips, strict=True)]
    like = sorted(range(len(asked)), key=lambda i: (clips[i].frame_count, clips[i].name, sizes[i]))
    batches: list[list[int]] = []
    for i in like:
        if (
            not batches
            or len(batches[-1]) == ANSWERED_AT_ONCE
            or (len(batches[-1]) + 1) * frames[i] > FRAMES_ANSWERED_AT_ONCE
        ):
            batches.append([])
        batches[-1].append(i)
    return batches


def answering_loader(questions: QuestionSet) -> DataLoader[Example]:
    """All questions as batches with their examples, in the order in which they are answered soonest."""
    order = answering_order(questions)
    return DataLoader(Questions(questions), batch_sampler=order, collate_fn=with_examples)
