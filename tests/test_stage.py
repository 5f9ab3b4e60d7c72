"""What STAGE promises whatever its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import oracle
from stage.data.batch import NO_SPAN, Batch, Context, GroundingTargets, Targets
from stage.model.config import StageConfig, Streams
from stage.model.losses import LossWeights, draw_pairs, span_loss, stage_losses, training_proposals
from stage.model.ops.dropout import Dropout
from stage.model.span import SpanLogits, best_spans, overlapping_spans, span_iou
from stage.model.stage import Stage

SIZES = {"text_dim": 12, "region_dim": 10, "hidden": 16, "embedding": 14}
STREAMS: list[Streams] = ["both", "video", "subtitles", "none"]


def make_model(streams: Streams = "both", local_features: bool = True, **settings: Any) -> Stage:
    torch.manual_seed(1)
    config = StageConfig(streams=streams, local_features=local_features, **{**SIZES, **settings})
    model = Stage(config).eval()
    for parameter in model.parameters():  # LayerNorm starts at one and zero, which would hide mistakes
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def lengths_to_mask(lengths: Tensor, longest: int) -> Tensor:
    return torch.arange(longest) < lengths[..., None]


def make_batch(questions: int = 3, hypotheses: int = 4, frames: int = 7) -> Batch:
    """Ragged questions; what is padded holds large values that must not be seen."""
    g = torch.Generator().manual_seed(2)

    def ragged(*shape: int, low: int) -> tuple[Tensor, Tensor]:
        *outer, longest, _ = shape
        mask = lengths_to_mask(torch.randint(low, longest + 1, outer, generator=g), longest)
        values = torch.randn(*shape, generator=g)
        return torch.where(mask[..., None], values, 100.0), mask

    words, word_mask = ragged(questions, hypotheses, 9, SIZES["text_dim"], low=3)
    subtitles, subtitle_mask = ragged(questions, frames, 8, SIZES["text_dim"], low=0)
    regions, region_mask = ragged(questions, frames, 6, SIZES["region_dim"], low=1)
    frame_mask = lengths_to_mask(torch.arange(frames - questions + 1, frames + 1), frames)
    region_mask &= frame_mask[..., None]
    subtitle_mask &= frame_mask[..., None]
    grounding = GroundingTargets(
        question=torch.tensor([0, 1]),
        frame=torch.tensor([1, 2]),
        word=torch.tensor([0, 2]),
        positive=torch.tensor([[True] + [False] * 5, [True] + [False] * 5]),
    )
    targets = Targets(
        torch.arange(questions), torch.zeros(questions).long(), torch.ones(questions).long(), grounding
    )
    dialogue, pictures = Context.of_all(subtitles, subtitle_mask), Context.of_all(regions, region_mask)
    return Batch(words, word_mask, dialogue, pictures, frame_mask, targets)


def alone(batch: Batch, n: int) -> Batch:
    """Question n cut to its own lengths."""
    hypothesis_words = int(batch.word_mask[n].sum(-1).max())
    frames = int(batch.frame_mask[n].sum())

    def cut(context: Context) -> Context:
        elements, mask = context.by_frame()
        longest = max(1, int(mask[n].sum(-1).max()))
        return Context.of_all(elements[n : n + 1, :frames, :longest], mask[n : n + 1, :frames, :longest])

    return Batch(
        batch.words[n : n + 1, :, :hypothesis_words],
        batch.word_mask[n : n + 1, :, :hypothesis_words],
        cut(batch.dialogue),
        cut(batch.pictures),
        batch.frame_mask[n : n + 1, :frames],
    )


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("local_features", [True, False])
def test_it_computes_what_the_plain_oracle_computes(streams: Streams, local_features: bool) -> None:
    compare_with_oracle(make_model(streams, local_features), make_batch())


def test_regions_that_are_words_are_embedded_as_words() -> None:
    model, batch = make_model(regions_as_words=True, region_dim=SIZES["text_dim"]), make_batch()
    pictures = batch.pictures
    wider = torch.nn.functional.pad(pictures.elements, (0, SIZES["text_dim"] - SIZES["region_dim"]))
    compare_with_oracle(model, replace(batch, pictures=replace(pictures, elements=wider)))


def compare_with_oracle(model: Stage, batch: Batch) -> None:
    with torch.no_grad():
        answered = model.answer(batch)
    for n in range(len(batch)):
        expected = oracle.answer(model, batch, n)
        frames = int(batch.frame_mask[n].sum())
        logits = answered.grounded.span_logits
        torch.testing.assert_close(answered.logits[n], expected.logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits.start[n, :, :frames], expected.start_logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits.end[n, :, :frames], expected.end_logits, rtol=1e-4, atol=1e-4)
        spans = list(zip(answered.spans.start[n].tolist(), answered.spans.end[n].tolist(), strict=True))
        if model.config.streams != "none":  # without a context all frames are alike, and so all spans
            assert spans == expected.spans


@pytest.mark.parametrize("streams", STREAMS)
def test_a_prediction_does_not_depend_on_its_batch(streams: Streams) -> None:
    model, batch = make_model(streams), make_batch()
    with torch.no_grad():
        together = model.answer(batch)
        for n in range(len(batch)):
            single = model.answer(alone(batch, n))
            frames = single.start_probabilities.shape[-1]
            torch.testing.assert_close(single.logits[0], together.logits[n], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(
                single.start_probabilities[0],
                together.start_probabilities[n, :, :frames],
                rtol=1e-5,
                atol=1e-6,
            )


def test_a_long_film_is_read_in_pieces_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make_model(), make_batch()
    with torch.no_grad():
        whole = model.answer(batch)
        monkeypatch.setattr("stage.model.execution.frame_chunks.FRAMES_PER_CHUNK", 3)
        pieces = model.answer(batch)
    torch.testing.assert_close(pieces.logits, whole.logits)
    torch.testing.assert_close(pieces.start_probabilities, whole.start_probabilities)
    torch.testing.assert_close(pieces.grounded.region_scores, whole.grounded.region_scores)
    torch.testing.assert_close(pieces.grounded.subtitle_scores, whole.grounded.subtitle_scores)


def test_padding_the_way_of_the_release_does_depend_on_the_batch() -> None:
    model, batch = make_model(), make_batch()
    model = Stage(model.config.model_copy(update={"release_padding": True})).eval()
    with torch.no_grad():
        together = model.answer(batch).logits[0]
        single = model.answer(alone(batch, 0)).logits[0]
    assert not torch.allclose(single, together, atol=1e-4)


def test_the_best_span_is_the_first_of_equals() -> None:
    start = torch.tensor([[0.5, 0.1, 0.5, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
    end = torch.tensor([[0.1, 0.4, 0.1, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    spans = best_spans(start, end)
    assert spans.start.tolist() == [0, 1, 0]
    assert spans.end.tolist() == [1, 1, 0]
    for i in range(3):
        assert oracle.scan(start[i], end[i]) == (spans.start[i], spans.end[i])


def test_the_best_span_agrees_with_a_scan_on_any_probabilities() -> None:
    coarse = torch.randint(1, 4, (200, 2, 9), generator=torch.Generator().manual_seed(3)) / 4
    spans = best_spans(coarse[:, 0], coarse[:, 1])
    scanned = [oracle.scan(row[0], row[1]) for row in coarse]
    assert list(zip(spans.start.tolist(), spans.end.tolist(), strict=True)) == scanned


def test_the_span_of_the_largest_expected_overlap_is_that_of_a_plain_count() -> None:
    g = torch.Generator().manual_seed(5)
    start, end = torch.rand(20, 7, generator=g).softmax(-1), torch.rand(20, 7, generator=g).softmax(-1)
    found = overlapping_spans(start, end)
    pairs = [(i, j) for i in range(7) for j in range(i, 7)]
    for n in range(20):
        expected = {
            (i, j): sum(
                float(start[n, k] * end[n, m] * span_iou(*map(torch.tensor, (i, j, k, m)))) for k, m in pairs
            )
            for i, j in pairs
        }
        chosen = int(found.start[n]), int(found.end[n])
        assert expected[chosen] == pytest.approx(max(expected.values()), rel=1e-5)
        assert float(found.score[n]) == pytest.approx(expected[chosen], rel=1e-5)


def test_in_a_long_film_the_overlap_is_looked_for_around_the_likeliest_span() -> None:
    start, end = torch.zeros(500), torch.zeros(500)
    start[480], end[490] = 1.0, 1.0
    found = overlapping_spans(start, end)
    assert (int(found.start), int(found.end)) == (480, 490)


def test_span_overlap_counts_both_end_frames() -> None:
    one, four = torch.tensor(1), torch.tensor(4)
    assert float(span_iou(one, four, one, four)) == 1.0
    assert float(span_iou(torch.tensor(4), torch.tensor(5), one, four)) == pytest.approx(1 / 5)
    assert float(span_iou(torch.tensor(5), torch.tensor(6), one, four)) == 0.0


def test_a_good_prediction_is_a_proposal_beside_the_true_span() -> None:
    peaked = torch.tensor([[[0.0, 9.0, 0.0, 0.0]], [[0.0, 9.0, 0.0, 0.0]]])
    targets = Targets(torch.tensor([0, 0]), torch.tensor([1, 3]), torch.tensor([1, 3]), None)
    proposals = training_proposals(SpanLogits(peaked, peaked), targets, torch.ones(2, 4).bool())
    assert proposals.question.tolist() == [0, 1, 0]  # the second question's prediction misses its span
    assert proposals.start.tolist() == [1, 3, 1]


def test_a_question_without_a_span_is_answered_from_the_predicted_one_and_takes_nothing_from_others() -> None:
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


@pytest.mark.parametrize("streams", STREAMS)
def test_every_weight_learns(streams: Streams) -> None:
    model, batch = make_model(streams), make_batch()
    losses, _ = stage_losses(model.train(), batch, LossWeights())
    losses.total.backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert still == []


def test_bfloat16_gives_nearly_the_same_answers_and_gradients() -> None:
    model, batch = make_model(), make_batch()
    losses, logits = stage_losses(model, batch, LossWeights(attention=0.0))
    losses.total.backward()
    exact = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, rounded_logits = stage_losses(model, batch, LossWeights(attention=0.0))
    rounded.total.backward()
    torch.testing.assert_close(rounded_logits, logits, rtol=0.05, atol=0.05)
    whole = torch.cat([g.flatten() for g in exact.values()])
    same = torch.cat(
        [p.grad.flatten() for name, p in model.named_parameters() if name in exact and p.grad is not None]
    )
    assert float(torch.cosine_similarity(whole, same, dim=0)) > 0.98


def test_a_weight_of_zero_leaves_a_supervision_out() -> None:
    model, batch = make_model(), make_batch()
    losses, _ = stage_losses(model, batch, LossWeights(span=0.0, attention=0.0))
    assert losses.span.item() == losses.attention.item() == 0.0
    assert losses.total.item() == losses.answer.item()


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.1), torch.ones(400, 999)
    y = dropout(x)
    assert float((y == 0).float().mean()) == pytest.approx(26 / 256, abs=0.003)
    assert float(y.mean()) == pytest.approx(1.0, abs=0.003)
    assert torch.equal(dropout.eval()(x), x)
