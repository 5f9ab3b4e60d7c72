"""Evidence as plain JSON, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stage.annotation.concept_words import concept_words, is_content_word
from stage.data.examples import Example
from stage.inference.predict import grounded_words, make_predictions
from stage.model.stage import BatchPrediction
from stage.types import (
    FRAMES_PER_SECOND,
    Array,
    AttendedSentence,
    Clip,
    Evidence,
    Moment,
    Prediction,
    WordBoxes,
)


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Everything that is known of an answer. Times in seconds, boxes in pixels [left, top, right, bottom]."""
    question, prediction = evidence.question, evidence.prediction
    return {
        "question": question.text,
        "answers": list(question.answers),
        "answer": evidence.answer,
        "answer_index": prediction.answer_index,
        "probabilities": list(prediction.probabilities),
        "span": list(prediction.span),
        "spans": [list(span) for span in prediction.spans],
        "concepts": list(evidence.concepts),
        "boxes": [box for moment in evidence.moments for box in _boxes(moment)],
        "moments": [_moment(moment) for moment in evidence.moments],
        "clip": {
            "name": evidence.clip.name,
            "duration": evidence.clip.duration,
            "width": evidence.clip.width,
            "height": evidence.clip.height,
        },
        "notes": list(evidence.notes),
    }


def _boxes(moment: Moment) -> list[dict[str, Any]]:
    return [
        {
            "word": words.word,
            "frame": words.frame,
            "time": words.frame / FRAMES_PER_SECOND,
            "box": list(box.corners),
            "score": box.score,
        }
        for words in moment.grounding
        for box in words.boxes
    ]


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "frame": moment.frame,
        "time": moment.time,
        "start_probability": moment.start_probability,
        "end_probability": moment.end_probability,
        "subtitles": [
            {
                "start": attended.sentence.start,
                "end": attended.sentence.end,
                "words": attended.sentence.words,
                "attention": list(attended.weights),
            }
            for attended in moment.sentences
        ],
    }


def make_evidence(
    answered: BatchPrediction, example: Example, clip: Clip, known: Sequence[str], notes: tuple[str, ...]
) -> Evidence:
    """What the model says of the only question of a batch, with what it looked at in every frame."""
    prediction = within_film(make_predictions(answered, [example], frozenset(known))[0], clip)
    k = prediction.answer_index
    concepts = concept_words(example.question.hypotheses[k], frozenset(known))
    start, end = (p[0, k].tolist() for p in (answered.start_probabilities, answered.end_probabilities))
    regions, words = answered.grounded.region_scores, answered.grounded.subtitle_scores
    moments = []
    for t, frame in enumerate(example.frames):
        grounding: tuple[WordBoxes, ...] = ()
        if regions is not None:
            lowered = frozenset(c.lower() for c in concepts)
            found = grounded_words(example, regions[0].float().cpu().numpy(), [t], lowered, [k])
            grounding = tuple(w for w in found if w.boxes)
        attended = (
            attended_sentences(example, clip, words[0, t, k].float().cpu().numpy(), t, k)
            if words is not None
            else ()
        )
        moments.append(Moment(frame, start[t], end[t], grounding, attended))
    return Evidence(clip, example.question, prediction, concepts, tuple(moments), notes)


def within_film(prediction: Prediction, clip: Clip) -> Prediction:
    """The same with spans cut where the film ends: the last frame stands for two seconds, which it may not have."""
    return replace(prediction, spans=tuple(map(clip.cut, prediction.spans)))


def attended_sentences(
    example: Example, clip: Clip, scores: Array, t: int, k: int
) -> tuple[AttendedSentence, ...]:
    """How much the content words of hypothesis k attend to the words of a frame's sentences.

    scores: (L_h, L_s) similarity of hypothesis and subtitle words at frame position t.
    """
    length = len(example.subtitles[t])
    words = example.question.hypotheses[k].split()[: len(example.hypotheses[k])]
    rows = [i for i, word in enumerate(words) if is_content_word(word)] or list(range(len(words)))
    sharpened = np.exp(10.0 * (scores[rows, :length] - 1.0))
    weights = (sharpened / sharpened.sum(1, keepdims=True)).max(0) if length else np.zeros(0)
    attended, first = [], 0
    for i in example.sentences[t]:
        sentence = clip.sentences[i]
        mine = weights[first : first + len(sentence.words)].tolist()
        first += len(sentence.words)
        attended.append(AttendedSentence(sentence, tuple(mine + [0.0] * (len(sentence.words) - len(mine)))))
    return tuple(attended)
