"""Questions to batches of similar size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.data.loading import CollateStep, LengthBucketSampler


def test_batches_contain_questions_of_similar_size_and_every_question_once() -> None:
    sizes = [(7 * i) % 100 for i in range(250)]
    sampler = LengthBucketSampler(sizes, 8, seed=1)
    first, again = list(sampler), list(sampler)
    assert first == again
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(i for batch in first for i in batch) == list(range(250))
    spread = np.mean([np.ptp([sizes[i] for i in batch]) for batch in first])
    assert spread < 15
    assert len(sampler) == len(first)


def test_a_step_is_divided_into_micro_batches(random_data: Path) -> None:
    questions = open_questions(random_data, Limits())
    examples = [questions.example(i) for i in range(6)]
    divided = {at_once: list(map(len, CollateStep(at_once)(examples))) for at_once in (1, 4, 6, 100)}
    assert divided == {1: [1] * 6, 4: [4, 2], 6: [6], 100: [6]}
    answers = [part.targets.answer for part in CollateStep(4)(examples) if part.targets is not None]
    assert torch.cat(answers).tolist() == [question.answer_index for question in questions.questions]
