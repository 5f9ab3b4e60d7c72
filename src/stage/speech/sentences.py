"""Words with their times to subtitles: cut where sentences end, at pauses, and to lengths that can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stage.media.cues import Cue

LONGEST_TEXT = 84
"""Characters of a subtitle: two lines of 42, as broadcasters and streaming services have them."""
LONGEST_TIME = 7.0
"""Seconds that a subtitle is shown."""
PAUSE = 1.0
"""Seconds without a word after which another subtitle begins, whether or not the sentence has ended."""
SHORTEST_TIME = 0.1
"""Seconds; a subtitle is shown for as long at least."""
CLAUSE, BREATH = 0.5, 0.25
"""What a comma, and a pause of a second, are worth where a long sentence is cut: a share of its length."""
END = re.compile(r"[.!?…。！？।؟]+[\"'”’»)\]]*$")
CLAUSE_END = re.compile(r"[,;:、，；：–—-][\"'”’»)\]]*$")
NO_END = re.compile(r"\b(?:(?i:mr|mrs|ms|dr|prof|st|vs|capt|lt|sgt|e\.g|i\.e)|[A-HJ-Z])\.$")
"""A full stop after an abbreviation, or after an initial."""
NOT_TEXT = re.compile(r"[<>{}\\\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""What subtitle files would read as markup or as line ends, and what directs terminals."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was heard, with the punctuation and the space that belong to it; times in seconds."""

    start: float
    end: float
    text: str


def subtitles(words: Iterable[Word], duration: float) -> tuple[Cue, ...]:
    """Subtitles of the words of a film of `duration` seconds, in order; none overlaps the next one."""
    cues: list[Cue] = []
    for sentence in _sentences(_in_order(words, duration)):
        for part in _short_enough(sentence):
            start = max(part[0].start, cues[-1].end if cues else 0.0)
            end = min(max(part[-1].end, start + SHORTEST_TIME), duration)
            if end > start and any(c.isalnum() for c in _text(part)):
                cues.append(Cue(start, end, _text(part)))
    return tuple(cues)


def _in_order(words: Iterable[Word], duration: float) -> Iterator[Word]:
    """Words within the film whose times don't go back, without markup."""
    last = 0.0
    for word in words:
        text = NOT_TEXT.sub(" ", word.text)
        start = max(last, word.start)
        end = min(max(start, word.end), duration)
        if text.strip() and start < duration:
            yield Word(start, end, text)
            last = end


def _sentences(words: Iterable[Word]) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    for word in words:
        if sentence and (
            _ends_sentence(sentence[-1].text, word.text) or word.start - sentence[-1].end >= PAUSE
        ):
            yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def _ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends with a word. One that goes on in lower case, or after an abbreviation, doesn't."""
    text, following = text.strip(), following.strip()
    if not END.search(text) or following[:1].islower():
        return False
    return not NO_END.search(text)


def _short_enough(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """A sentence as one subtitle, or cut in two again and again until each part can be read."""
    fits = len(_text(words)) <= LONGEST_TEXT and words[-1].end - words[0].start <= LONGEST_TIME
    if fits or len(words) == 1:
        yield words
        return
    cut = max(range(1, len(words)), key=lambda place: _worth(words, place))
    yield from _short_enough(words[:cut])
    yield from _short_enough(words[cut:])


def _worth(words: Sequence[Word], place: int) -> float:
    """How good it is to cut before a word: near the middle, after a comma, at a pause."""
    size, before = len(_text(words)), len(_text(words[:place]))
    gap = min(words[place].start - words[place - 1].end, PAUSE)
    comma = CLAUSE_END.search(words[place - 1].text.strip()) is not None
    return CLAUSE * comma + BREATH * gap / PAUSE - abs(2 * before - size) / size


def _text(words: Sequence[Word]) -> str:
    return " ".join("".join(word.text for word in words).split())


def repeated(texts: Sequence[str], most: int = 2) -> list[bool]:
    """For each text, whether it is the same as at least `most` right before it, but for case and punctuation."""
    plain = ["".join(c for c in text.lower() if c.isalnum()) for text in texts]
    counts: list[int] = []
    for before, this in pairwise([None, *plain]):
        counts.append(counts[-1] + 1 if counts and before == this else 1)
    return [count > most for count in counts]
