"""Evidence stays within the film, and what it says of the span within the span."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stage.annotation.labels import frames_of_question, span_in_seconds
from stage.commands.asking.printing import print_evidence
from stage.data.examples import Example
from stage.inference.evidence import attended_sentences, clamp_spans, make_evidence
from stage.inference.evidence_json import to_json
from stage.model.outputs import BatchPrediction, ModelOutput
from stage.model.span import SpanLogits, Spans
from stage.page.views import question_view
from stage.types import Box, Clip, Evidence, Prediction, Question, Regions, Sentence


def test_a_span_ends_with_the_film() -> None:
    clip = Clip("short", frame_count=7)
    said = Prediction(0, "short", 0, (0.6, 0.4), ((0.3, 4.3), (0.3, 2.3)))
    assert clamp_spans(said, clip).spans == ((0.3, pytest.approx(7 / 3)), (0.3, 2.3))
    last_frame = replace(said, spans=((7 / 3, 13 / 3),) * 2)
    assert clamp_spans(last_frame, clip).spans[0] == (pytest.approx(2), pytest.approx(7 / 3))


MANY = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def evidence_of(clip: Clip, phase: int, start: int, end: int) -> Evidence:
    """An answer with a span from position `start` to `end`, and a box of "mug" in every frame, each better."""
    question = Question(0, clip.name, "What is red ?", ("The mug .", "A hat ."), boxes={phase: ()})
    frames = frames_of_question(question, clip.frame_count)
    count = len(frames)
    region = Regions(
        np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), np.zeros((1, 4), np.float32)
    )
    words, nothing = np.zeros((7, 4), np.float32), np.zeros((0, 4), np.float32)
    example = Example(
        question, frames, (words, words), ((),) * count, (nothing,) * count, (region,) * count, None, ()
    )
    flat = torch.full((1, 2, count), 1 / count)
    scores = torch.linspace(0.3, 0.9, count)[None, :, None, None, None].expand(1, count, 2, 7, 1)
    output = ModelOutput(
        torch.zeros(1, 2, count, 4), torch.ones(1, count).bool(), SpanLogits(flat, flat), scores, None
    )
    at = Spans(torch.full((1, 2), start), torch.full((1, 2), end), torch.ones(1, 2))
    found = BatchPrediction(torch.tensor([[1.0, 0.0]]), at, flat, flat, output)
    return make_evidence(found, example, clip, ["mug"], (), attention_scale=10.0)


@pytest.mark.parametrize("scale", [1.0, 10.0, 300.0])
def test_the_attention_shown_is_what_the_model_attends_with(scale: float) -> None:
    """Its weights are a softmax of scaled scores; a word's is the largest that a content word gives it."""
    question = Question(0, "clip", "What is red ?", ("The mug .",))
    words, nothing = np.zeros((7, 4), np.float32), np.zeros((0, 4), np.float32)
    clip = Clip("clip", 7, sentences=(Sentence(0, 1, "a red mug"), Sentence(1, 2, "no !")))
    example = Example(question, (1, 7), (words,), ((0, 1), ()), (words[:5], nothing), (), None, ())
    scores = np.random.default_rng(0).uniform(-0.9, 0.1, (7, 6)).astype(np.float32)
    scores[:, 5] = -1e10  # padding
    first, second = attended_sentences(example, clip, scale * scores, 0, 0)
    attention = torch.tensor(scale * scores).softmax(-1)
    content = [2, 5]  # red, mug
    expected = attention[content, :5].amax(0).tolist()
    assert [*first.weights, *second.weights] == pytest.approx(expected, abs=1e-6)
    assert (first.sentence, second.sentence) == clip.sentences
    assert attended_sentences(example, clip, scores, 1, 0) == ()


@MANY
@given(st.integers(1, 60), st.integers(1, 6), st.data())
def test_the_frames_of_the_span_are_those_that_the_model_chose(
    count: int, phase: int, data: st.DataObject
) -> None:
    """Printed, in JSON and on the page, wherever the clip ends: its last frame may be at its very end."""
    clip = Clip("clip", count)
    frames = frames_of_question(Question(0, "clip", "", (), boxes={phase: ()}), count)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(frames) - 1)] * 2)))
    evidence = evidence_of(clip, phase, start, end)
    covered = list(frames[start : end + 1])
    assert evidence.prediction.span == clip.clamp(span_in_seconds(start, end, frames[0]))
    written = to_json(evidence)
    assert [m["frame"] for m in written["moments"] if m["in_span"]] == covered
    assert [b["frame"] for b in written["boxes"] if b["in_span"]] == covered
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    of_moments = [(m.frame, box) for m in evidence.moments for w in m.grounding for box in w.boxes]
    assert [(b["frame"], Box(*b["box"], b["word"], b["score"])) for b in written["boxes"]] == of_moments
    assert all(m["time"] == pytest.approx(m["frame"] / 3) for m in written["moments"] + written["boxes"])
    shown = question_view(evidence, 1, (), lambda frame: 0).frames
    assert [int(frame.id.removeprefix("q1-f")) for frame in shown if frame.predicted] == covered


@pytest.mark.parametrize("count", range(7, 14))
@pytest.mark.parametrize("end", [0, 1])
def test_the_box_that_is_printed_is_from_the_span_that_is_printed(
    count: int, end: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_evidence(evidence_of(Clip("clip", count), 1, 0, end))
    box = re.search(r"mug: box .* at ([\d.]+) s", capsys.readouterr().out)
    assert box is not None
    assert float(box[1]) == pytest.approx([1, 7][end] / 3, abs=0.05)
