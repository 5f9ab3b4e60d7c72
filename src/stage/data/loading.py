"""Batching: length buckets for training, clip by clip for inference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from stage.data.batch import Batch
from stage.data.examples import Example, collate
from stage.data.question_set import QuestionSet

MAX_QUESTIONS = 32
"""Questions of an inference batch at most."""
MAX_FRAMES = 512
"""Frames of an inference batch at most: attention scores of all words and regions are kept for each of them.
A question about a longer clip (17 minutes) is a batch of its own."""


class ExampleDataset(Dataset[Example]):
    """The examples of a question set as a torch data set. training: as for `QuestionSet.example`."""

    def __init__(self, questions: QuestionSet, *, training: bool) -> None:
        self.questions = questions
        self.training = training

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        return self.questions.example(index, training=self.training)


class LengthBucketSampler(Sampler[list[int]]):
    """Random batches of questions of similar size, which keeps padding low.

    Questions are shuffled and divided into pools of many batches, and each pool is sorted by size. The order depends
    only on the seed and the epoch, so that a resumed run sees the same batches.
    """

    POOL = 16
    """Batches per pool."""

    def __init__(self, sizes: Sequence[int], batch_size: int, seed: int) -> None:
        self.sizes = sizes
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    @property
    def sampler(self) -> LengthBucketSampler:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return math.ceil(len(self.sizes) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.sizes), generator=generator).tolist()
        pool = self.POOL * self.batch_size
        batches = []
        for first in range(0, len(order), pool):
            by_size = sorted(order[first : first + pool], key=self.sizes.__getitem__)
            batches += [by_size[i : i + self.batch_size] for i in range(0, len(by_size), self.batch_size)]
        whole = torch.randperm(len(order) // self.batch_size, generator=generator).tolist()
        # A short batch comes last, so that every step is one batch.
        yield from [batches[i] for i in whole] + batches[len(whole) :]


@dataclass(frozen=True, slots=True)
class CollateStep:
    """Collates the questions of a training step as micro-batches."""

    at_once: int | None = None
    """Questions of a micro-batch at most; None: all of the step."""

    def __call__(self, examples: Sequence[Example]) -> list[Batch]:
        size = self.at_once or len(examples)
        return [collate(examples[first : first + size]) for first in range(0, len(examples), size)]


def collate_with_examples(examples: list[Example]) -> tuple[Batch, list[Example]]:
    """A batch with its examples, which are needed to turn model outputs into predictions."""
    return collate(examples), examples


def inference_batches(questions: QuestionSet) -> list[list[int]]:
    """Batches of question indices. Questions of one clip share their frames, so they are batched together."""
    sizes, asked = questions.sizes(), questions.questions
    clips = [questions.clips[q.clip] for q in asked]
    frames = [len(questions.frames_of(question)) for question in asked]
    by_clip = sorted(range(len(asked)), key=lambda i: (clips[i].frame_count, clips[i].name, sizes[i]))
    batches: list[list[int]] = []
    for i in by_clip:
        if (
            not batches
            or len(batches[-1]) == MAX_QUESTIONS
            or (len(batches[-1]) + 1) * frames[i] > MAX_FRAMES
        ):
            batches.append([])
        batches[-1].append(i)
    return batches


def inference_loader(questions: QuestionSet) -> DataLoader[Example]:
    """All questions as (batch, examples) pairs, in an order that makes inference fast."""
    batches = inference_batches(questions)
    dataset = ExampleDataset(questions, training=False)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=collate_with_examples)
