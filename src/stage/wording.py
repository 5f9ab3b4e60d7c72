"""Text for people: detokenised sentences, times, percentages, counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from reprlib import Repr

_NO_SPACE_BEFORE = re.compile(r"[?.,!;:)\]…%]+|n['’]t|['’](s|re|ve|ll|d|m)", re.IGNORECASE)
_NO_SPACE_AFTER = frozenset("([$#")
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass(frozen=True, slots=True)
class Token:
    """A word or punctuation mark, with what the evidence page highlights it by."""

    text: str
    space_before: bool
    colour: int | None = None
    """Index of the colour of its concept word; None if it isn't one."""
    weight: float = 0.0
    """Its attention weight, in [0, 1]."""


def tokens(text: str, colours: Mapping[str, int], weights: Sequence[float] = ()) -> tuple[Token, ...]:
    """The tokens of a tokenised text, each with whether a space precedes it.

    colours: concept word (lower case) -> index of its colour; weights: one per word, clipped to [0, 1], or none.
    """
    words = text.split()
    spaces = [i > 0 and not _attached(words[i - 1], word) for i, word in enumerate(words)]
    weights = [*weights, *[0.0] * (len(words) - len(weights))]
    return tuple(
        Token(word, space, colours.get(word.lower()), min(1.0, max(0.0, weight)))
        for word, space, weight in zip(words, spaces, weights, strict=False)
    )


def _attached(before: str, word: str) -> bool:
    """Whether a word follows the one before without a space."""
    return _NO_SPACE_BEFORE.fullmatch(word) is not None or before in _NO_SPACE_AFTER


def detokenised(text: str) -> str:
    """A tokenised text without the spaces around its punctuation."""
    return "".join(" " * token.space_before + token.text for token in tokens(text, {}))


def seconds(time: float, duration: float) -> str:
    """A time (seconds) as "12.3 s", or as "1:02.3" in a clip of a minute or longer."""
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
    """A span (seconds) as "12.3 to 15.0 s", or as "0:58.0 to 1:02.3" in a clip of a minute or longer."""
    start, end = (seconds(time, duration) for time in span)
    return f"{start.removesuffix(' s')} to {end}"


def percentage(probability: float) -> str:
    """A probability in whole percent; "< 1 %" or "> 99 %" where rounding would give 0 or 100."""
    if 0 < probability < 0.01:
        return "< 1 %"
    if 0.99 < probability < 1:
        return "> 99 %"
    return f"{100 * probability:.0f} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count with its noun: "1 question", "1,680 questions". plural: if it is irregular."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def quoted(value: object) -> str:
    """A value that was read from a file, for a message: as Python writes it, shortened if it is long or nested."""
    return _SHORT.repr(value)
