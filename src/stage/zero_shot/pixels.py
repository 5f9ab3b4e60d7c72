"""What pixels and boxes say and no label does: colours, places, counts and sizes"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stage.types import Question
from stage.zero_shot.colours import NAMES
from stage.zero_shot.matching import Matcher
from stage.zero_shot.places import place_score
from stage.zero_shot.windows import Windows
from stage.zero_shot.words import Word, asks_colour, asks_count, colours_of, number_in, side_in, size_asked

RARE = 0.05
"""Share of a colour that counts half where the film has none of it elsewhere."""
PLACE = 0.2
"""What a place counts, beside a colour or a number that the question asks for."""
Floats = npt.NDArray[np.float64]


def pixel_scores(
    question: Question,
    asked: Sequence[Word],
    own: Sequence[Sequence[Word]],
    matcher: Matcher,
    windows: Windows,
    chosen: npt.NDArray[np.int64],
) -> Floats:
    """What pixels and boxes say for each candidate in its window, in [0, 1]; zeros where they say nothing: (K,)."""
    if (wanted := size_asked(question.text)) is not None:
        return _sizes(wanted, own, matcher, [windows.frames_of(int(window)) for window in chosen])
    scores = np.zeros(len(question.answers))
    for k, answer in enumerate(question.answers):
        frames = windows.frames_of(int(chosen[k]))
        if asks_colour(question.text):
            scores[k] = _colour(answer, question.text, asked, matcher, frames)
        elif asks_count(question.text):
            scores[k] = _count(answer, asked, matcher, frames)
        else:
            scores[k] = PLACE * place_score(question.text, answer, asked, own[k], matcher, frames)
    return scores


def _sizes(wanted: int, own: Sequence[Sequence[Word]], matcher: Matcher, frames: Sequence[slice]) -> Floats:
    """How near each candidate's boxes are in size to those of the largest (1) or smallest (-1) candidate: (K,)."""
    view = matcher.view
    sides = np.sqrt(np.maximum(0, view.boxes[:, 2:] - view.boxes[:, :2]).prod(1))
    sizes = np.zeros(len(own))
    for k, (words, inside) in enumerate(zip(own, frames, strict=True)):
        shown = (view.owner >= inside.start) & (view.owner < inside.stop)
        for word in words:
            scores = matcher.region_scores(word) * shown
            if scores.any():
                sizes[k] = max(sizes[k], float(np.average(sides, weights=scores)))
    seen = sizes > 0
    if not seen.any():
        return sizes
    return np.where(
        seen, sizes / sizes.max() if wanted > 0 else sizes[seen].min() / np.maximum(sizes, 1e-9), 0
    )


def _colour(answer: str, question: str, asked: Sequence[Word], matcher: Matcher, frames: slice) -> float:
    """How much of a candidate's colour there is, where the question asks for it, beside what is usual in the film."""
    named = [NAMES.index(name) for name in colours_of(answer)]
    subject = next((word for word in asked if word.part), asked[0] if asked else None)
    shares = matcher.colours(subject, side_in(question))
    if not named or shares is None:
        return 0.0
    found = shares[frames].mean(0)
    usual = matcher.usual_colours
    return float(np.mean([found[i] / (found[i] + usual[i] + RARE) for i in named]))


def _count(answer: str, asked: Sequence[Word], matcher: Matcher, frames: slice) -> float:
    """How near a candidate's number is to how many there are in most frames, as sure as their boxes are."""
    number = number_in(answer)
    countable = [word for word in asked if matcher.strength(word).any()]
    if number is None or not countable:
        return 0.0
    scores = matcher.region_scores(countable[0])
    owners = matcher.view.owner[scores > 0]
    counts = np.bincount(owners, minlength=len(matcher.view.frames))[frames]
    inside = scores[(scores > 0) & (matcher.view.owner >= frames.start) & (matcher.view.owner < frames.stop)]
    sure = float(inside.mean()) if inside.size else 0.0
    return sure / (1.0 + abs(number - float(np.median(counts))))
