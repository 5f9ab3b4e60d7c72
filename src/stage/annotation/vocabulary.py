"""The words of a data set, and those among them that get boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.types import Question

UNKNOWN = "<unk>"
BESIDE = "word2idx.json"


def fold(label: str) -> str:
    """A label as it is compared: lower case, curly apostrophes made straight."""
    return label.lower().replace("’", "'").replace("‘", "'")


def read_vocabulary(path: Path) -> dict[str, int]:
    """Word -> id. Raises InputError if the file is not such a map."""
    raw = read_json(path)
    if not isinstance(raw, dict) or not all(isinstance(i, int) for i in raw.values()):
        raise InputError(f"{path}: is no vocabulary; it should map words to whole numbers (word2idx.json)")
    return raw


def vocabulary_of(predictions: Path, given: Path | None = None) -> dict[str, int]:
    """Word -> id for a prediction file: the given vocabulary, or word2idx.json beside the file.

    Raises InputError if there is neither.
    """
    path = given or predictions.parent / BESIDE
    if given is None and not path.exists():
        raise InputError(
            f"{predictions}: numbers words by a vocabulary, but there is no {BESIDE} beside it; "
            "give it with --vocabulary"
        )
    return read_vocabulary(path)


def write_vocabulary(path: Path, vocabulary: Mapping[str, int]) -> None:
    write_json(path, dict(vocabulary))


def extend_vocabulary(path: Path, questions: Iterable[Question]) -> dict[str, int]:
    """Ids for all words of questions, written to `path`.

    What has an id there keeps it, since prediction files beside it may go by it. Raises InputError if what is there
    is no vocabulary.
    """
    numbered = read_vocabulary(path) if path.exists() else {}
    words = [word for word in build_vocabulary(questions) if word not in numbered]
    if words:
        first = max(numbered.values(), default=-1) + 1
        numbered |= {word: i for i, word in enumerate(words, first)}
        write_vocabulary(path, numbered)
    return numbered


def build_vocabulary(questions: Iterable[Question]) -> dict[str, int]:
    """Ids for all words and labels of questions and answers, lower case; 0 is for words not among them."""
    words: set[str] = set()
    for question in questions:
        for text in (question.text, *question.answers):
            words.update(fold(word) for word in text.split())
        words.update(fold(box.label) for boxes in question.boxes.values() for box in boxes)
    return {UNKNOWN: 0} | {word: i for i, word in enumerate(sorted(words), 1)}


def object_vocabulary(questions: Iterable[Question]) -> list[str]:
    """The words that have boxes, folded, in alphabetical order."""
    return sorted({fold(box.label) for q in questions for boxes in q.boxes.values() for box in boxes})
