"""Questions to batches of similar size."""

from __future__ import annotations

import numpy as np

from stage.data.loading import LengthBucketSampler


def test_batches_contain_questions_of_similar_size_and_every_question_once() -> None:
    sizes = [(7 * i) % 100 for i in range(250)]
    sampler = LengthBucketSampler(sizes, 8, 8, seed=1)
    first, again = list(sampler), list(sampler)
    assert first == again
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(i for batch in first for i in batch) == list(range(250))
    spread = np.mean([np.ptp([sizes[i] for i in batch]) for batch in first])
    assert spread < 15
    parts = LengthBucketSampler(sizes, 8, 4, seed=1)
    assert list(parts) == [part for batch in first for part in (batch[:4], batch[4:]) if part]
    assert len(parts) == len(list(parts))
