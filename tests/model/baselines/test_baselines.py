"""What all baselines promise: they learn and never see padding."""

from __future__ import annotations

import pytest
import torch

from samples.baselines import REGION_DIM, SYSTEMS, TEXT_DIM, make_batch, make_model
from stage.data.batch import Batch, Context, Targets
from stage.model.build import training_losses
from stage.model.losses import LossWeights

LOCALISING, GROUNDING = {"multi_task"}, {"late_fusion, rnn", "late_fusion, cnn"}
systems = pytest.mark.parametrize("name", SYSTEMS)


def alone(batch: Batch, n: int) -> Batch:
    """Question n cut to its own lengths."""
    words = int(batch.word_mask[n].sum(-1).max())
    frames = int(batch.frame_mask[n].sum())

    def cut(context: Context) -> Context:
        elements, mask = context.by_frame()
        longest = int(mask[n].sum(-1).max())
        return Context.per_frame(elements[n : n + 1, :frames, :longest], mask[n : n + 1, :frames, :longest])

    assert batch.targets is not None
    assert batch.question_lengths is not None
    truth = (t[n : n + 1] for t in (batch.targets.answer, batch.targets.start, batch.targets.end))
    return Batch(
        batch.words[n : n + 1, :, :words],
        batch.word_mask[n : n + 1, :, :words],
        cut(batch.subtitles),
        cut(batch.regions),
        batch.frame_mask[n : n + 1, :frames],
        Targets(*truth, None),
        batch.question_lengths[n : n + 1],
    )


@pytest.mark.slow
@systems
def test_a_small_batch_is_overfitted(name: str) -> None:
    model, batch = make_model(name).train(), make_batch()
    assert batch.targets is not None
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    totals = []
    for _ in range(60):
        losses, _ = training_losses(model, [batch], LossWeights())
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(losses.total.item())
    with torch.no_grad():
        answered = model.eval().answer(batch)
    assert totals[-1] < 0.5 * totals[0]
    assert answered.logits.argmax(-1).tolist() == batch.targets.answer.tolist()
    if name in LOCALISING:
        right = torch.arange(len(batch)), batch.targets.answer
        assert answered.spans.start[right].tolist() == [1] * len(batch)
        assert answered.spans.end[right].tolist() == [2] * len(batch)


@systems
def test_every_weight_learns(name: str) -> None:
    model = make_model(name).train()
    training_losses(model, [make_batch()], LossWeights())[0].total.backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert still == []


@systems
def test_a_prediction_does_not_depend_on_its_batch(name: str) -> None:
    model, batch = make_model(name), make_batch()
    with torch.no_grad():
        together = model.answer(batch)
        for n in range(len(batch)):
            single = model.answer(alone(batch, n))
            frames = single.start_probabilities.shape[-1]
            torch.testing.assert_close(single.logits[0], together.logits[n], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(
                single.start_probabilities[0], together.start_probabilities[n, :, :frames]
            )


@systems
def test_the_order_of_candidates_does_not_matter(name: str) -> None:
    model, batch = make_model(name), make_batch()
    turned = Batch(
        batch.words.flip(1), batch.word_mask.flip(1), batch.subtitles, batch.regions, batch.frame_mask,
        batch.targets, batch.question_lengths,
    )  # fmt: skip
    with torch.no_grad():
        logits = model.answer(batch).logits
        torch.testing.assert_close(model.answer(turned).logits, logits.flip(1), rtol=1e-5, atol=1e-5)


@systems
def test_a_film_without_subtitles_or_without_regions_is_answered(name: str) -> None:
    model, batch = make_model(name), make_batch()
    questions, frames = batch.frame_mask.shape
    silent = Context.per_frame(
        torch.zeros(questions, frames, 0, TEXT_DIM), torch.zeros(questions, frames, 0).bool()
    )
    dark = Context.per_frame(
        torch.zeros(questions, frames, 0, REGION_DIM), torch.zeros(questions, frames, 0).bool()
    )
    with torch.no_grad():
        for dialogue, pictures in ((silent, batch.regions), (batch.subtitles, dark)):
            poor = Batch(
                batch.words, batch.word_mask, dialogue, pictures, batch.frame_mask,
                question_lengths=batch.question_lengths,
            )  # fmt: skip
            assert model.answer(poor).logits.isfinite().all()


@systems
def test_a_system_that_does_not_localise_gives_the_whole_clip(name: str) -> None:
    model, batch = make_model(name), make_batch()
    with torch.no_grad():
        answered = model.answer(batch)
    assert model.config.localises == (name in LOCALISING)
    if not model.config.localises:
        assert answered.spans.start.unique().tolist() == [0]
        assert (answered.spans.end == batch.frame_mask.sum(1)[:, None] - 1).all()
    scores = answered.output.region_scores
    assert (scores is not None) == (name in GROUNDING)
    if scores is not None:
        n, k, words = batch.word_mask.shape
        assert scores.shape == (n, batch.frame_mask.shape[1], k, words, 4)
        real = batch.region_mask[:, :, None, None] & batch.word_mask[:, None, :, :, None]
        assert (scores[real].abs() <= 1.0001).all()
        assert (scores[~real] == -1e10).all()


def test_frames_outside_the_span_are_not_read() -> None:
    model, batch = make_model("two_stream, within the span"), make_batch()
    spoken, mask = batch.subtitles.by_frame()
    changed = spoken.clone()
    changed[:, 3:] = 0.0  # the span is frames 1 and 2
    other = Batch(
        batch.words, batch.word_mask, Context.per_frame(changed, mask), batch.regions, batch.frame_mask,
        batch.targets, batch.question_lengths,
    )  # fmt: skip
    with torch.no_grad():
        assert torch.equal(model.answer(batch).logits, model.answer(other).logits)
