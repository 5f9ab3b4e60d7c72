"""What STAGE promises whatever its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import oracle
from samples.batches import SIZES, STREAMS, alone, make_batch, make_model
from stage.data.batch import Batch, Context
from stage.model.config import Streams
from stage.model.losses import LossWeights, stage_losses
from stage.model.stage import Stage


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("local_features", [True, False])
def test_outputs_are_those_of_the_plain_oracle(streams: Streams, local_features: bool) -> None:
    compare_with_oracle(make_model(streams, local_features), make_batch())


def test_regions_that_are_words_are_embedded_as_words() -> None:
    model, batch = make_model(regions_as_words=True, region_dim=SIZES["text_dim"]), make_batch()
    regions = batch.regions
    wider = torch.nn.functional.pad(regions.elements, (0, SIZES["text_dim"] - SIZES["region_dim"]))
    compare_with_oracle(model, replace(batch, regions=replace(regions, elements=wider)))


@pytest.mark.parametrize(
    "length", [490, 500, 501, 600]
)  # lengths are rounded up, past the positions that are kept
def test_sequences_of_any_length_are_read(length: int) -> None:
    batch = make_batch(questions=1, frames=1)
    words = torch.randn(1, 1, length, SIZES["text_dim"], generator=torch.Generator().manual_seed(length))
    said = Context(words[0], torch.ones(1, length, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.long))
    compare_with_oracle(make_model("subtitles"), replace(batch, subtitles=said))


def compare_with_oracle(model: Stage, batch: Batch) -> None:
    with torch.no_grad():
        answered = model.answer(batch)
    for n in range(len(batch)):
        expected = oracle.answer(model, batch, n)
        frames = int(batch.frame_mask[n].sum())
        logits = answered.output.span_logits
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


def test_a_long_film_gives_the_same_answer_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make_model(), make_batch()
    with torch.no_grad():
        whole = model.answer(batch)
        monkeypatch.setattr("stage.model.execution.frame_chunks.FRAMES_PER_CHUNK", 3)
        pieces = model.answer(batch)
    torch.testing.assert_close(pieces.logits, whole.logits)
    torch.testing.assert_close(pieces.start_probabilities, whole.start_probabilities)
    torch.testing.assert_close(pieces.output.region_scores, whole.output.region_scores)
    torch.testing.assert_close(pieces.output.subtitle_scores, whole.output.subtitle_scores)


def test_with_release_padding_a_prediction_depends_on_its_batch() -> None:
    model, batch = make_model(), make_batch()
    model = Stage(model.config.model_copy(update={"release_padding": True})).eval()
    with torch.no_grad():
        together = model.answer(batch).logits[0]
        single = model.answer(alone(batch, 0)).logits[0]
    assert not torch.allclose(single, together, atol=1e-4)


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
