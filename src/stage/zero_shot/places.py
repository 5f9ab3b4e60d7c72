"""Where things are to one another in a frame, from their boxes: left, right, above, below, before, behind, beside"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stage.annotation.vocabulary import normalise_word
from stage.types import Box
from stage.zero_shot.matching import Matcher
from stage.zero_shot.words import Word, words_of

Holds = Callable[[Box, Box], bool]


def _across(box: Box) -> float:
    return (box.left + box.right) / 2


def _down(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _beside(first: Box, second: Box) -> bool:
    """Whether the gap between two boxes is less than the width of the wider one."""
    gap = max(first.left, second.left) - min(first.right, second.right)
    return gap < max(first.right - first.left, second.right - second.left)


RELATIONS: dict[str, Holds] = {
    "left": lambda a, b: _across(a) < _across(b),
    "right": lambda a, b: _across(a) > _across(b),
    "above": lambda a, b: _down(a) < _down(b),
    "below": lambda a, b: _down(a) > _down(b),
    "under": lambda a, b: _down(a) > _down(b),
    "behind": lambda a, b: a.bottom < b.bottom,
    "front": lambda a, b: a.bottom > b.bottom,
    "next": _beside,
    "beside": _beside,
}
"""Word -> whether the first box is there, seen from the second. What is nearer ends lower in the picture."""


def place_score(
    question: str, answer: str, asked: Sequence[Word], own: Sequence[Word], matcher: Matcher, frames: slice
) -> float:
    """The share of frames whose boxes say that a candidate is true, of those that a place can be read in.

    It is read in two kinds of questions: where something is, with candidates such as "on the left", which is held
    against the middle of the picture; and what is left of, or behind, something. 0 for others, or if nothing is seen.
    """
    positions = range(*frames.indices(len(matcher.view.frames)))
    clip = matcher.view.clip
    middle = Box(0, 0, clip.width, clip.height)
    if sides := {normalise_word(token) for token in answer.split()} & {"left", "right"}:
        seen = [(first[0], middle) for t in positions if (first := _boxes(asked, matcher, t))]
        return _share(RELATIONS[sides.pop()], seen)
    tokens = [normalise_word(token) for token in question.split()]
    at = next((i for i, token in enumerate(tokens) if token in RELATIONS), None)
    if at is None or not own:
        return 0.0
    landmark = words_of(" ".join(question.split()[at + 1 :]))
    pairs = [(_boxes(own, matcher, t), _boxes(landmark, matcher, t)) for t in positions]
    return _share(
        RELATIONS[tokens[at]], [(first[0], second[0]) for first, second in pairs if first and second]
    )


def _boxes(words: Sequence[Word], matcher: Matcher, position: int) -> tuple[Box, ...]:
    """The boxes of the first of the words that is seen, best first."""
    return next((boxes for word in words if (boxes := matcher.boxes(word, position))), ())


def _share(holds: Holds, pairs: Sequence[tuple[Box, Box]]) -> float:
    return sum(holds(first, second) for first, second in pairs) / len(pairs) if pairs else 0.0
