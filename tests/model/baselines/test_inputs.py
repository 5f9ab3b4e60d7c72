"""What the baselines read of a batch."""

from __future__ import annotations

import torch

from samples.baselines import make_batch
from stage.data.batch import Context
from stage.model.baselines.inputs import as_sequence, split_hypotheses


def test_hypotheses_are_split_into_question_and_answer() -> None:
    batch = make_batch()
    texts = split_hypotheses(batch)
    assert texts.question.mask.sum(1).tolist() == [2, 3, 4, 2]
    torch.testing.assert_close(texts.question.values[1, :3], batch.words[1, 0, :3])
    answer = batch.words[1, 2][batch.word_mask[1, 2]][3:]
    torch.testing.assert_close(texts.answers.values[1, 2][texts.answers.mask[1, 2]], answer)


def test_sentences_shared_by_neighbouring_frames_occur_once() -> None:
    words = torch.arange(6.0).view(3, 2, 1)
    context = Context(words, torch.ones(3, 2).bool(), torch.tensor([[0, 0, 1, 2, 2, 0]]))
    frames = torch.tensor([[True, True, True, False, True, True]])
    sequence = as_sequence(words, context, frames)
    assert sequence.values[sequence.mask].flatten().tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
