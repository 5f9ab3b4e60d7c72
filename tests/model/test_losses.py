"""The losses: proposals, spans, pairs of regions, and their weights."""

from __future__ import annotations

import torch

from samples.batches import make_batch, make_model
from stage.data.batch import NO_SPAN, Targets
from stage.model.losses import LossWeights, draw_pairs, span_loss, stage_losses, training_proposals
from stage.model.span import SpanLogits


def test_a_good_prediction_is_a_proposal_next_to_the_true_span() -> None:
    peaked = torch.tensor([[[0.0, 9.0, 0.0, 0.0]], [[0.0, 9.0, 0.0, 0.0]]])
    targets = Targets(torch.tensor([0, 0]), torch.tensor([1, 3]), torch.tensor([1, 3]), None)
    proposals = training_proposals(SpanLogits(peaked, peaked), targets, torch.ones(2, 4).bool())
    assert proposals.question.tolist() == [0, 1, 0]  # the second question's prediction misses its span
    assert proposals.start.tolist() == [1, 3, 1]


def test_a_question_without_a_span_uses_the_predicted_one_and_leaves_the_loss_of_others() -> None:
    peaked = torch.tensor([[[0.0, 9.0, 0.0, 0.0]], [[0.0, 0.0, 9.0, 0.0]]], requires_grad=True)
    answer, span = torch.tensor([0, 0]), torch.tensor([3, NO_SPAN])
    targets = Targets(answer, span, span, None)
    proposals = training_proposals(SpanLogits(peaked, peaked), targets, torch.ones(2, 4).bool())
    assert proposals.question.tolist() == [0, 1]
    assert proposals.start.tolist() == proposals.end.tolist() == [3, 2]
    loss = span_loss(SpanLogits(peaked, peaked), targets)
    alone = Targets(answer[:1], span[:1], span[:1], None)
    assert loss.item() == span_loss(SpanLogits(peaked[:1], peaked[:1]), alone).item() > 0
    loss.backward()
    assert peaked.grad is not None
    assert peaked.grad[1].abs().sum() == 0


def test_negatives_are_real_regions_that_do_not_show_the_word() -> None:
    batch = make_batch()
    assert batch.targets is not None
    assert batch.targets.grounding is not None
    truth = batch.targets.grounding
    n, t, o = batch.region_mask.shape
    shape = torch.Size((n, t, batch.words.shape[1], batch.words.shape[2], o))
    rows = [int(i) for i in range(2) if batch.region_mask[truth.question[i], truth.frame[i]].sum() > 1]
    for _ in range(20):
        pairs = draw_pairs(shape, truth, batch.targets.answer, batch.region_mask)
        assert len(pairs.positive) == 2 * len(rows)
        for positive, negative in zip(pairs.positive.tolist(), pairs.negative.tolist(), strict=True):
            assert positive // o == negative // o  # the same question, frame, hypothesis and word
            question, frame = (
                negative // o // shape[3] // shape[2] // t,
                negative // o // shape[3] // shape[2] % t,
            )
            assert batch.region_mask[question, frame, negative % o]
            assert negative % o != 0


def test_a_loss_weight_of_zero_removes_that_supervision() -> None:
    model, batch = make_model(), make_batch()
    losses, _ = stage_losses(model, batch, LossWeights(span=0.0, attention=0.0))
    assert losses.span.item() == losses.attention.item() == 0.0
    assert losses.total.item() == losses.answer.item()
