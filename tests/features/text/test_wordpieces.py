"""Words get the mean of their wordpieces, whatever windows and batches these were encoded in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stage.features.text import wordpieces
from stage.features.text.wordpieces import batches, windows_of, word_vectors
from stage.types import Array


def letters(words: list[str]) -> tuple[list[int], list[int]]:
    """A wordpiece for each letter but "-", its number in the alphabet counted from 1."""
    found = [(ord(letter) - 96, i) for i, word in enumerate(words) for letter in word if letter != "-"]
    return [piece for piece, _ in found], [word for _, word in found]


def as_numbers(batch: Sequence[Sequence[int]]) -> list[Array]:
    return [np.array([[piece, 1] for piece in pieces], np.float32).reshape(-1, 2) for pieces in batch]


def test_a_word_is_the_mean_of_its_pieces_and_zeros_without_any() -> None:
    (found,) = word_vectors(["ac - b"], 2, 510, letters, as_numbers)
    assert found.tolist() == [[2, 1], [0, 0], [2, 1]]


def test_texts_keep_their_order_and_equal_ones_are_encoded_once() -> None:
    seen: list[int] = []

    def counted(batch: Sequence[Sequence[int]]) -> list[Array]:
        seen.append(len(batch))
        return as_numbers(batch)

    found = word_vectors(["abc", "", "d", "abc"], 2, 510, letters, counted)
    assert [text.tolist() for text in found] == [[[2, 1]], [], [[4, 1]], [[2, 1]]]
    assert found[1].shape == (0, 2)
    assert sum(seen) == 2


def test_a_word_is_not_cut_by_a_window_unless_it_is_longer_than_one() -> None:
    def cut(words: list[str]) -> list[list[int]]:
        return [list(window.words) for window in windows_of(0, *letters(words), 4)]

    assert cut(["ab", "abc", "a"]) == [[0, 0], [1, 1, 1, 2]]
    assert cut(["abcdefghij"]) == [[0] * 4, [0] * 4, [0] * 2]
    assert cut(["--"]) == []


def test_a_word_longer_than_a_window_is_the_mean_over_its_windows() -> None:
    (found,) = word_vectors(["aaaac"], 2, 4, letters, as_numbers)
    assert found == pytest.approx(np.array([[7 / 5, 1]]))


def test_batches_are_of_similar_lengths_and_bounded() -> None:
    windows = [w for n in (900, 1, 900, 2) for w in windows_of(0, [5] * n, list(range(n)), 2000)]
    lengths = [[len(window.pieces) for window in batch] for batch in batches(windows)]
    assert lengths == [[1, 2, 900, 900]]
    windows = windows * 3
    for batch in batches(windows):
        assert len(batch) * (len(batch[-1].pieces) + 2) <= wordpieces.WORDPIECES_PER_BATCH
    assert sum(map(len, batches(windows))) == 12
