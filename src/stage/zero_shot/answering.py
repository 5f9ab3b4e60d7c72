"""From curves to an answer: each candidate's curve over time, its span, and what speaks for it there"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage.types import Array, Question
from stage.zero_shot.colours import LIKENESS, NAMES
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.pixels import pixel_scores
from stage.zero_shot.windows import Windows
from stage.zero_shot.words import Word, own_words, words_of

Floats = npt.NDArray[np.float64]
AROUND = 60.0
"""Seconds before and after a span in which what is said may still be about it."""
LEAST_SHARE = 0.1
"""Of a colour: where the film has no more of it anywhere, what there is of it counts less."""
CLUES = ("seen", "text", "said", "around", "scene", "picture", "pixels")
"""What can speak for a candidate, each with a weight `answer_...` among the parameters."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was found about a question's K candidates in T frames."""

    curves: Array
    """(K, T): how well each frame fits the question and each candidate."""
    chosen: npt.NDArray[np.int64]
    """(K,): the window of each candidate."""
    standing_out: Floats
    """(K, windows)"""
    clues: Floats
    """(K, CLUES): what speaks for each candidate in its window."""

    def logits(self, parameters: Parameters) -> Floats:
        """(K,): the softmax of these are the probabilities."""
        weights = np.array([getattr(parameters, f"answer_{clue}") for clue in CLUES])
        return np.asarray(self.clues @ weights / parameters.temperature, np.float64)


def read(question: Question, matcher: Matcher, windows: Windows, parameters: Parameters) -> Reading:
    """Hold a question and its candidates against what was seen and said."""
    asked = words_of(question.text)
    own = own_words([words_of(answer) for answer in question.answers], asked)
    of_candidates = np.stack([_best(matcher, words) for words in own])
    said, pictures = matcher.said(question.hypotheses), matcher.pictures(question.hypotheses)
    curves = words_curve(matcher, asked) + parameters.span_answer * of_candidates
    curves = curves + texts_curves(matcher, question.hypotheses, parameters)
    standing_out = windows.standing_out(curves, parameters.span_exponent)
    chosen = standing_out.argmax(-1)
    clues = {
        "seen": windows.means(of_candidates, chosen),
        "text": _likely(question, matcher),
        "said": windows.highest(said, chosen),
        "around": _around(said, matcher, windows, chosen),
        "scene": windows.means(matcher.scenes(question.answers), chosen),
        "picture": np.zeros(len(own)) if pictures is None else windows.highest(pictures, chosen),
        "pixels": pixel_scores(question, asked, own, matcher, windows, chosen),
    }
    stacked = np.stack([clues[clue] for clue in CLUES], axis=1)
    return Reading(np.asarray(curves, np.float32), chosen, standing_out, np.asarray(stacked, np.float64))


def words_curve(matcher: Matcher, words: tuple[Word, ...]) -> Array:
    """How many of a text's words are seen in each frame, in the colours that they are said to have: (T,)."""
    seen = matcher.seen(words).sum(0) if words else np.zeros(len(matcher.view.frames), np.float32)
    return np.asarray(seen + _described_colours(matcher, words), np.float32)


def texts_curves(matcher: Matcher, texts: Sequence[str], parameters: Parameters) -> Array:
    """How near texts as wholes are to what is said, seen and shown in each frame: (texts, T)."""
    curves = parameters.span_said * _standard(matcher.said(texts))
    curves = curves + parameters.span_scene * _standard(matcher.scenes(texts))
    if (pictures := matcher.pictures(texts)) is not None:
        curves = curves + parameters.span_picture * _standard(pictures)
    return np.asarray(curves, np.float32)


def _likely(question: Question, matcher: Matcher) -> Floats:
    """How similar each candidate is to the question, where nothing is said in the film: (K,).

    Where something is, what candidates have in common with it tells more, and this nothing.
    """
    if matcher.view.clip.sentences:
        return np.zeros(len(question.answers))
    return np.asarray(matcher.lexicon.cosines([question.text], question.answers)[0], np.float64)


def _around(said: Array, matcher: Matcher, windows: Windows, chosen: npt.NDArray[np.int64]) -> Floats:
    """The highest similarity with what is said within AROUND seconds of each candidate's window: (K,)."""
    times = matcher.view.times
    near = [(times >= windows.start[i] - AROUND) & (times <= windows.end[i] + AROUND) for i in chosen]
    return np.array([float(curve[there].max(initial=0)) for curve, there in zip(said, near, strict=True)])


def _best(matcher: Matcher, words: tuple[Word, ...]) -> Array:
    """How well the word that is seen best is seen in each frame, 0 without words: (T,)."""
    frames = len(matcher.view.frames)
    return np.asarray(matcher.seen(words).max(0) if words else np.zeros(frames), np.float32)


def _described_colours(matcher: Matcher, words: tuple[Word, ...]) -> Array:
    """How much of the colours that words are said to have is seen where they are: (T,)."""
    curve = np.zeros(len(matcher.view.frames), np.float32)
    for word in words:
        if word.colour and (shares := matcher.colours(word)) is not None:
            alike = shares @ LIKENESS[NAMES.index(word.colour)]
            curve += alike / max(float(alike.max(initial=0)), LEAST_SHARE)
    return curve


def _standard(curves: Array) -> Array:
    """Curves in standard deviations from their mean over time; zeros where they don't change. (..., T)"""
    deviation = curves.std(-1, keepdims=True)
    above = curves - curves.mean(-1, keepdims=True)
    return np.asarray(np.where(deviation > 1e-6, above / np.maximum(deviation, 1e-6), 0), np.float32)
