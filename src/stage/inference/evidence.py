"""The evidence for the answer of a trained model: grounding and attention in each frame"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stage.annotation.concept_words import concept_words, is_content_word
from stage.annotation.vocabulary import normalise_word
from stage.data.examples import Example
from stage.inference.predict import grounded_words, make_predictions
from stage.model.outputs import BatchPrediction
from stage.types import Array, AttendedSentence, Clip, Evidence, Moment, Prediction, WordBoxes


def make_evidence(
    batch_prediction: BatchPrediction,
    example: Example,
    clip: Clip,
    known_concepts: Sequence[str],
    notes: tuple[str, ...],
    attention_scale: float,
) -> Evidence:
    """The evidence for the only question of a batch: its prediction, and grounding and attention in each frame.

    attention_scale: the model's factor of attention scores before their softmax.
    """
    known = frozenset(map(normalise_word, known_concepts))
    prediction = clamp_spans(make_predictions(batch_prediction, [example], known)[0], clip)
    k = prediction.answer_index
    concepts = concept_words(example.question.hypotheses[k], known)
    start = batch_prediction.start_probabilities[0, k].tolist()
    end = batch_prediction.end_probabilities[0, k].tolist()
    first, last = (int(at[0, k]) for at in (batch_prediction.spans.start, batch_prediction.spans.end))
    region_scores = batch_prediction.output.region_scores
    subtitle_scores = batch_prediction.output.subtitle_scores
    moments = []
    for t, frame in enumerate(example.frames):
        grounding: tuple[WordBoxes, ...] = ()
        if region_scores is not None:
            normalised = frozenset(map(normalise_word, concepts))
            words = grounded_words(example, region_scores[0].float().cpu().numpy(), [t], normalised, [k])
            grounding = tuple(w for w in words if w.boxes)
        attended: tuple[AttendedSentence, ...] = ()
        if subtitle_scores is not None:
            scores = (attention_scale * subtitle_scores[0, t, k].float()).cpu().numpy()
            attended = attended_sentences(example, clip, scores, t, k)
        moments.append(Moment(frame, start[t], end[t], grounding, attended, first <= t <= last))
    return Evidence(clip, example.question, prediction, concepts, tuple(moments), notes)


def clamp_spans(prediction: Prediction, clip: Clip) -> Prediction:
    """A prediction with its spans limited to the clip: the last frame stands for two seconds, some past the end."""
    return replace(prediction, spans=tuple(map(clip.clamp, prediction.spans)))


def attended_sentences(
    example: Example, clip: Clip, scores: Array, t: int, k: int
) -> tuple[AttendedSentence, ...]:
    """The attention of the content words of hypothesis k to the words of a frame's sentences.

    scores: (L_h, L_s) of hypothesis and subtitle words at frame position t, as the model's softmax takes them. A
    word's weight is its largest attention weight (softmax over the frame's words) among the content words.
    """
    length = len(example.subtitles[t])
    words = example.question.hypotheses[k].split()[: len(example.hypotheses[k])]
    rows = [i for i, word in enumerate(words) if is_content_word(word)] or list(range(len(words)))
    weights = np.zeros(0)
    if length:
        raised = np.exp(scores[rows, :length] - scores[rows, :length].max(1, keepdims=True))
        weights = (raised / raised.sum(1, keepdims=True)).max(0)
    attended, first = [], 0
    for i in example.sentences[t]:
        sentence = clip.sentences[i]
        own = weights[first : first + len(sentence.words)].tolist()
        first += len(sentence.words)
        attended.append(AttendedSentence(sentence, tuple(own + [0.0] * (len(sentence.words) - len(own)))))
    return tuple(attended)
