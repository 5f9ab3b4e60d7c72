"""The evidence for a zero-shot answer: boxes, attended sentences, and where the span may begin and end"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stage.annotation.concept_words import is_content_word
from stage.annotation.vocabulary import normalise_word
from stage.types import (
    Array,
    AttendedSentence,
    Evidence,
    Moment,
    Prediction,
    Question,
    Sentence,
    WordBoxes,
)
from stage.zero_shot.answering import Floats, Reading
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.windows import Windows
from stage.zero_shot.words import Word, words_of

LEAST_SIMILARITY = 0.3
"""The cosine from which on a word that is said is shown as attended."""


def softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float64)


def make_prediction(
    question: Question,
    reading: Reading,
    windows: Windows,
    parameters: Parameters,
    grounding: tuple[WordBoxes, ...] = (),
) -> Prediction:
    """The answer, its probabilities, and the span of each candidate."""
    logits = reading.logits(parameters)
    spans = tuple((float(windows.start[i]), float(windows.end[i])) for i in reading.chosen)
    return Prediction(
        question.qid, question.clip, int(logits.argmax()), tuple(softmax(logits).tolist()), spans, grounding
    )


def make_evidence(
    question: Question,
    reading: Reading,
    matcher: Matcher,
    windows: Windows,
    parameters: Parameters,
    notes: tuple[str, ...],
) -> Evidence:
    """The answer with its evidence in every frame."""
    view, prediction = matcher.view, make_prediction(question, reading, windows, parameters)
    k = prediction.answer_index
    window = int(reading.chosen[k])
    first, last = int(windows.first[window]), int(windows.last[window])
    words = visible_words(question.hypotheses[k], matcher)
    starts, ends = ends_of(reading.standing_out[k], windows, len(view.frames), parameters)
    attention = Attention(matcher, question.hypotheses[k])
    moments = tuple(
        Moment(
            frame,
            float(starts[t]),
            float(ends[t]),
            tuple(found for found in ground(words, matcher, t, k) if found.boxes),
            tuple(attention.on(s, near=first <= t <= last) for s in view.sentences_at(t)),
            first <= t <= last,
        )
        for t, frame in enumerate(view.frames)
    )
    concepts = tuple(dict.fromkeys(word.text for word in words))
    notes = (*notes, *recognition_notes(words_of(question.hypotheses[k]), matcher))
    return Evidence(view.clip, question, prediction, concepts, moments, notes)


def recognition_notes(words: tuple[Word, ...], matcher: Matcher) -> tuple[str, ...]:
    """Which words nothing was recognised as, and which are boxes of parts of people where they would be worn."""
    if not matcher.recognises:
        return ()
    visible = matcher.visible(words)
    unseen = dict.fromkeys(word.text for word in words if word not in visible and not word.is_read)
    worn = dict.fromkeys(word.text for word in visible if matcher.is_guessed(word))
    notes = []
    if unseen:
        notes.append(f"nothing was recognised as {', '.join(map(repr, unseen))}")
    if worn:
        notes.append(
            f"{', '.join(map(repr, worn))}: the boxes are the parts of people where it would be worn, since the "
            "detector has no label for it"
        )
    return tuple(notes)


def visible_words(hypothesis: str, matcher: Matcher) -> tuple[Word, ...]:
    """The words of a text that are seen somewhere in the film; all its content words if none is."""
    words = words_of(hypothesis)
    return matcher.visible(words) or words


def ground(words: tuple[Word, ...], matcher: Matcher, position: int, hypothesis: int) -> Iterator[WordBoxes]:
    """The boxes of each word in the frame at this position, which may be none."""
    for word in {word.text: word for word in words}.values():
        yield WordBoxes(hypothesis, matcher.view.frames[position], word.text, matcher.boxes(word, position))


def ends_of(
    standing_out: Floats, windows: Windows, frames: int, parameters: Parameters
) -> tuple[Floats, Floats]:
    """The probabilities that the span starts, and ends, in each frame: (T,) each, from those of all windows."""
    probabilities = softmax(standing_out / parameters.span_temperature)
    return (
        np.asarray(np.bincount(windows.first, weights=probabilities, minlength=frames), np.float64),
        np.asarray(np.bincount(windows.last, weights=probabilities, minlength=frames), np.float64),
    )


class Attention:
    """The attention of a text to the words of sentences."""

    def __init__(self, matcher: Matcher, text: str) -> None:
        self._lexicon = matcher.lexicon
        self._words = list(dict.fromkeys(normalise_word(w) for w in text.split() if is_content_word(w)))
        self._known: dict[str, float] = {}

    def on(self, sentence: Sentence, *, near: bool) -> AttendedSentence:
        """The weight of each word: 1 for one of the text's; near the span else its highest cosine with one."""
        keys = [normalise_word(word) if is_content_word(word) else "" for word in sentence.words]
        if near and (missing := sorted({key for key in keys if key} - self._known.keys())) and self._words:
            cosines: Array = self._lexicon.cosines(missing, self._words).max(1)
            self._known |= {
                key: float(value) if value >= LEAST_SIMILARITY else 0.0
                for key, value in zip(missing, cosines, strict=True)
            }
        weights = (1.0 if key in self._words else min(1.0, self._known.get(key, 0.0)) for key in keys)
        return AttendedSentence(sentence, tuple(weights))
