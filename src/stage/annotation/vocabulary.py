"""Vocabularies: words and labels of a data set, and their ids."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.types import Question

UNKNOWN = "<unk>"
"""The word with id 0, for words outside the vocabulary."""
VOCABULARY_FILE = "word2idx.json"
"""The vocabulary of the prediction files in the same folder."""
MAX_ID = 2**63
"""Ids of this size or larger are errors."""


def normalise_word(word: str) -> str:
    """A word or label as it is compared: in lower case and NFC, with straight apostrophes.

    NFC, because files that were typed on macOS often write "ë" as two code points, and others as one.
    """
    return fold_case(word).replace("’", "'").replace("‘", "'")


def fold_case(word: str) -> str:
    """A word in lower case and NFC. Apostrophes stay apart: the release's training labels compare words so."""
    if word.isascii():  # nearly all words, and this is called for every word of every frame
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).lower())


def read_vocabulary(path: Path) -> dict[str, int]:
    """Word -> id, for words that are not in NFC also under their NFC form.

    Raises InputError if the file is not a JSON object of integers, or two words have the same.
    """
    raw = read_json(path)
    if not isinstance(raw, dict) or not all(type(i) is int and abs(i) < MAX_ID for i in raw.values()):
        raise InputError(f"{path}: is not a vocabulary; it should map words to integers (word2idx.json)")
    words: dict[int, str] = {}
    for word, number in raw.items():
        if normalise_word(other := words.setdefault(number, word)) != normalise_word(word):
            raise InputError(
                f"{path}: {other!r} and {word!r} have one id, {number}, so boxes of one would count for the other; "
                "give each word its own"
            )
    return {unicodedata.normalize("NFC", word): number for word, number in raw.items()} | raw


def vocabulary_of(predictions: str | Path, given: str | Path | None = None) -> dict[str, int]:
    """Word -> id for a prediction file: the given vocabulary, or word2idx.json next to the file.

    Raises InputError if there is neither.
    """
    path = Path(given) if given else Path(predictions).parent / VOCABULARY_FILE
    if given is None and not path.exists():
        raise InputError(
            f"{predictions}: its words are ids of a vocabulary, but there is no {VOCABULARY_FILE} next to it; "
            "give one with --vocabulary"
        )
    return read_vocabulary(path)


def write_vocabulary(path: Path, vocabulary: Mapping[str, int]) -> None:
    """Write word -> id as JSON."""
    write_json(path, dict(vocabulary))


def extend_vocabulary(path: Path, questions: Iterable[Question]) -> dict[str, int]:
    """Add all words of questions to the vocabulary in `path`; create it if there is none.

    Words that have an id keep it, since prediction files next to it may use it. Raises InputError if the file
    exists and is not a vocabulary.
    """
    vocabulary = read_vocabulary(path) if path.exists() else {}
    new = [word for word in build_vocabulary(questions) if word not in vocabulary]
    if new:
        first = max(vocabulary.values(), default=-1) + 1
        vocabulary |= {word: i for i, word in enumerate(new, first)}
        write_vocabulary(path, vocabulary)
    return vocabulary


def build_vocabulary(questions: Iterable[Question]) -> dict[str, int]:
    """Word -> id for all words of questions and answers and all box labels, normalised; 0 is UNKNOWN."""
    words: set[str] = set()
    for question in questions:
        for text in (question.text, *question.answers):
            words.update(normalise_word(word) for word in text.split())
        words.update(normalise_word(box.label) for boxes in question.boxes.values() for box in boxes)
    return {UNKNOWN: 0} | {word: i for i, word in enumerate(sorted(words), 1)}


def object_vocabulary(questions: Iterable[Question]) -> list[str]:
    """The labels of all boxes, normalised and sorted."""
    return sorted(
        {normalise_word(box.label) for q in questions for boxes in q.boxes.values() for box in boxes}
    )
