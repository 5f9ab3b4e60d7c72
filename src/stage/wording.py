"""Words and numbers as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_CLINGS_TO_WORD_BEFORE = re.compile(r"[?.,!;:)\]…%]+|n['’]t|['’](s|re|ve|ll|d|m)", re.IGNORECASE)
_CLINGS_TO_WORD_AFTER = frozenset("([$#")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or punctuation mark of a text."""

    text: str
    blank_before: bool
    colour: int | None = None
    """Number of its concept word's colour."""
    weight: float = 0.0
    """How much it is attended to, in [0, 1]."""


def tokens(text: str, colours: Mapping[str, int], weights: Sequence[float] = ()) -> tuple[Token, ...]:
    """A tokenised text, set without the blanks before its punctuation. Weights: one for each word, or none."""
    words = text.split()
    blanks = [i > 0 and not _clings(words[i - 1], word) for i, word in enumerate(words)]
    weights = [*weights, *[0.0] * (len(words) - len(weights))]
    return tuple(
        Token(word, blank, colours.get(word.lower()), min(1.0, max(0.0, weight)))
        for word, blank, weight in zip(words, blanks, weights, strict=False)
    )


def _clings(before: str, word: str) -> bool:
    return _CLINGS_TO_WORD_BEFORE.fullmatch(word) is not None or before in _CLINGS_TO_WORD_AFTER


def plain(text: str) -> str:
    """A tokenised text without the blanks before its punctuation."""
    return "".join(" " * token.blank_before + token.text for token in tokens(text, {}))


def seconds(time: float, duration: float) -> str:
    """A time in a clip of this duration: "12.3 s"; from a minute on "1:02.3"."""
    if duration < 60:
        return f"{time:.1f} s"
    whole, tenth = divmod(round(time * 10), 10)
    return f"{clock(whole)}.{tenth}"


def clock(time: int) -> str:
    """Whole seconds as "1:02", or "1:00:02"."""
    minutes, second = divmod(time, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def span_text(span: tuple[float, float], duration: float) -> str:
    """ "12.3 to 15.0 s", or "0:58.0 to 1:02.3"."""
    start, end = (seconds(time, duration) for time in span)
    return f"{start.removesuffix(' s')} to {end}"


def percentage(probability: float) -> str:
    """Whole percents; what would be rounded to none or all is said to be nearly so."""
    if 0 < probability < 0.01:
        return "< 1 %"
    if 0.99 < probability < 1:
        return "> 99 %"
    return f"{100 * probability:.0f} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 question", "1,680 questions". plural: where it isn't the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
