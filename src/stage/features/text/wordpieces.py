"""Wordpieces to words: windows of long texts, batches of similar lengths, the mean of a word's pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stage.types import Array

WORDPIECES_PER_BATCH = 4096
MAX_WINDOW = 510
"""Wordpieces that are encoded together at most, without special tokens."""

Split = Callable[[list[str]], tuple[list[int], list[int]]]
"""The words of a text -> its wordpieces, and for each the position of its word."""
Run = Callable[[Sequence[Sequence[int]]], list[Array]]
"""The wordpieces of several windows, without special tokens -> for each (wordpieces, dim)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive wordpieces of a text, with the word (its position in the text) that each belongs to."""

    text: int
    pieces: Sequence[int]
    words: Sequence[int]


def word_vectors(texts: Sequence[str], dim: int, longest: int, split: Split, run: Run) -> list[Array]:
    """For each text (words, dim): the means of its words' wordpieces, zeros for a word that has none.

    longest: wordpieces that are encoded together. A longer text is encoded in consecutive windows.
    """
    unique = list(dict.fromkeys(texts))
    windows = []
    for i, text in enumerate(unique):
        if words := text.split():
            windows += windows_of(i, *split(words), longest)
    sums = [np.zeros((len(text.split()), dim), np.float32) for text in unique]
    counts = [np.zeros((len(rows), 1), np.float32) for rows in sums]
    for batch in batches(windows):
        for window, pieces in zip(batch, run([window.pieces for window in batch]), strict=True):
            np.add.at(sums[window.text], np.asarray(window.words), pieces)
            np.add.at(counts[window.text], np.asarray(window.words), 1)
    for total, count in zip(sums, counts, strict=True):
        total /= np.maximum(count, 1)
    by_text = dict(zip(unique, sums, strict=True))
    return [by_text[text] for text in texts]


def windows_of(text: int, pieces: Sequence[int], words: Sequence[int], longest: int) -> list[Window]:
    """Windows of at most `longest` wordpieces; those of a word stay together unless it is longer than a window."""
    if not pieces:
        return []
    starts = [0]
    while len(pieces) - starts[-1] > longest:
        cut = end = starts[-1] + longest
        while cut > starts[-1] and words[cut] == words[cut - 1]:
            cut -= 1
        starts.append(cut if cut > starts[-1] else end)
    ends = [*starts[1:], len(pieces)]
    return [Window(text, pieces[a:b], words[a:b]) for a, b in zip(starts, ends, strict=True)]


def batches(windows: Sequence[Window]) -> list[list[Window]]:
    """Batches of windows of similar lengths, of at most about WORDPIECES_PER_BATCH wordpieces with padding."""
    found: list[list[Window]] = []
    for window in sorted(windows, key=lambda w: len(w.pieces)):
        if not found or (len(found[-1]) + 1) * (len(window.pieces) + 2) > WORDPIECES_PER_BATCH:
            found.append([])
        found[-1].append(window)
    return found
