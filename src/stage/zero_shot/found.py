"""Moments that a phrase is found in, best first"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stage.types import FRAMES_PER_SECOND, Clip, Evidence, Moment, Prediction, Question, WordBoxes
from stage.wording import span_text
from stage.zero_shot.answering import Floats, texts_curves, words_curve
from stage.zero_shot.evidence import Attention, ends_of, ground, recognition_notes, softmax, visible_words
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.windows import Windows
from stage.zero_shot.words import Word, words_of

ELSEWHERE = "elsewhere, or nowhere"
SAID = 0.4
"""The cosine from which on a sentence may be about a phrase."""


@dataclass(frozen=True, slots=True)
class FoundMoment:
    """A moment that a phrase stands out in."""

    phrase: str
    span: tuple[float, float]
    """Start and end in seconds."""
    score: float
    """How far it stands out of the film: larger than 0, without an upper limit."""
    probability: float
    """In [0, 1], beside those of the other moments found and of the phrase being elsewhere, or nowhere."""
    boxes: tuple[WordBoxes, ...]
    """The boxes of the phrase's words in the frames of the span, in order of time."""

    def to_json(self) -> dict[str, Any]:
        """As plain values for a JSON file. Times in seconds, boxes [left, top, right, bottom] in pixels."""
        return {
            "span": list(self.span),
            "score": self.score,
            "probability": self.probability,
            "boxes": [
                {
                    "word": words.word,
                    "frame": words.frame,
                    "time": words.frame / FRAMES_PER_SECOND,
                    "box": list(box.corners),
                    "score": box.score,
                }
                for words in self.boxes
                for box in words.boxes
            ],
        }


@dataclass(frozen=True, eq=False)
class FoundMoments:
    """All moments found for a phrase, and what pages need to show them."""

    moments: tuple[FoundMoment, ...]
    """Best first; none if the phrase stands out nowhere."""
    evidence: tuple[Evidence, ...]
    """For each moment, as of a question whose candidate answers are the moments."""
    notes: tuple[str, ...]
    """Messages to the user."""

    def to_json(self, phrase: str, clip: Clip) -> dict[str, Any]:
        """As plain values for a JSON file. phrase: as it was typed."""
        return {
            "phrase": phrase,
            "moments": [moment.to_json() for moment in self.moments],
            "clip": {
                "name": clip.name,
                "duration": clip.duration,
                "width": clip.width,
                "height": clip.height,
            },
            "notes": list(self.notes),
        }


def find_phrase(
    phrase: str,
    matcher: Matcher,
    windows: Windows,
    parameters: Parameters,
    top: int,
    notes: tuple[str, ...] = (),
) -> FoundMoments:
    """Find the at most `top` moments, without common time, that a tokenised phrase stands out most in."""
    words = words_of(phrase)
    recognised = words_curve(matcher, words)
    curve = recognised + texts_curves(matcher, [phrase], parameters)[0]
    standing_out = windows.standing_out(curve, parameters.span_exponent)
    shown = recognised + (matcher.said([phrase])[0] >= SAID)
    if matcher.pictures([phrase]) is not None:
        shown = shown + 1
    supported = windows.sums(shown) > 0  # what is merely alike to all that is seen is no sign of the phrase
    chosen = _apart(np.where(supported, standing_out, 0), windows, top)
    notes = (*notes, *recognition_notes(words, matcher))
    if not chosen:
        return FoundMoments((), (), notes)
    scores = standing_out[chosen]
    compared = softmax(np.append(scores / parameters.span_temperature, 0.0))[:-1]
    likely = compared * [_recognised(words, phrase, matcher, windows.frames_of(i)) for i in chosen]
    probabilities = [*likely.tolist(), 1 - float(likely.sum())]
    evidence = _evidence(phrase, chosen, standing_out, probabilities, matcher, windows, parameters)
    moments = tuple(
        FoundMoment(
            phrase,
            evident.prediction.span,
            float(score),
            probability,
            tuple(w for moment in evident.moments if moment.in_span for w in moment.grounding),
        )
        for evident, score, probability in zip(evidence, scores, probabilities, strict=False)
    )
    return FoundMoments(moments, tuple(replace(evident, notes=notes) for evident in evidence), notes)


def _recognised(words: tuple[Word, ...], phrase: str, matcher: Matcher, frames: slice) -> float:
    """How surely a phrase is recognised in a window, in [0, 1]: no moment is likelier than the best box of its words.

    1 where it is said, or where pictures are compared with it, of which there are no boxes.
    """
    if matcher.pictures([phrase]) is not None or (matcher.said([phrase])[0, frames] >= SAID).any():
        return 1.0
    return min(1.0, float(matcher.seen(words)[:, frames].max(initial=0.0)))


def _apart(standing_out: Floats, windows: Windows, top: int) -> list[int]:
    """The windows that stand out most, best first, of which no two have a frame in common."""
    chosen: list[int] = []
    free = standing_out > 1e-6
    while len(chosen) < top and free.any():
        best = int(np.where(free, standing_out, -np.inf).argmax())
        chosen.append(best)
        free &= (windows.last < windows.first[best]) | (windows.first > windows.last[best])
    return chosen


def _evidence(
    phrase: str,
    chosen: list[int],
    standing_out: Floats,
    probabilities: list[float],
    matcher: Matcher,
    windows: Windows,
    parameters: Parameters,
) -> tuple[Evidence, ...]:
    """One for each moment. The candidate answers are the moments' times, and that it is elsewhere."""
    view, clip = matcher.view, matcher.view.clip
    spans = [(float(windows.start[i]), float(windows.end[i])) for i in chosen]
    question = Question(0, clip.name, phrase, (*_names(spans, clip), ELSEWHERE))
    words, attention = visible_words(phrase, matcher), Attention(matcher, phrase)
    starts, ends = ends_of(standing_out, windows, len(view.frames), parameters)
    grounding = [tuple(w for w in ground(words, matcher, t, 0) if w.boxes) for t in range(len(view.frames))]
    concepts = tuple(dict.fromkeys(word.text for word in words))
    found = []
    for k, i in enumerate(chosen):
        first, last = int(windows.first[i]), int(windows.last[i])
        moments = tuple(
            Moment(
                frame,
                float(starts[t]),
                float(ends[t]),
                tuple(replace(w, hypothesis=k) for w in grounding[t]),
                tuple(attention.on(s, near=first <= t <= last) for s in view.sentences_at(t)),
                first <= t <= last,
            )
            for t, frame in enumerate(view.frames)
        )
        prediction = Prediction(0, clip.name, k, tuple(probabilities), (*spans, (0.0, clip.duration)))
        found.append(Evidence(clip, question, prediction, concepts, moments))
    return tuple(found)


def _names(spans: Sequence[tuple[float, float]], clip: Clip) -> list[str]:
    return [span_text(span, clip.duration) for span in spans]
