"""What was heard in a film, cached piece by piece: an interrupted film is resumed, a known one is there at once.

A cache only saves time: what is damaged there is heard again, and where nothing can be written, nothing is cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.speech.listening import MOST_TEXT, Piece
from stage.speech.sentences import Word
from stage.types import MAX_SECONDS

VERSION = 1
"""Of the record, and of how sound is heard; others are made anew."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was heard of a film so far."""

    pieces: tuple[Piece, ...] = ()
    complete: bool = False


def read_record(path: Path) -> Record:
    """The record in a file; an empty one if there is none. Raises InputError if it is damaged."""
    if not path.exists():
        return Record()
    content = read_json(path)
    try:
        return _parsed(content)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise InputError(f"{path}: is no record of what was heard in a film") from None


def write_record(path: Path, record: Record) -> None:
    """Raises InputError if it can't be written there."""
    write_json(
        path,
        {
            "version": VERSION,
            "complete": record.complete,
            "pieces": [
                {
                    "end": piece.end,
                    "words": [[word.start, word.end, word.text] for word in piece.words],
                    "left_out": piece.left_out,
                    "language": piece.language,
                    "certainty": piece.certainty,
                }
                for piece in record.pieces
            ],
        },
    )


def remove_record(path: Path) -> None:
    """Remove a damaged record, so that the next one is written to the same place."""
    with suppress(OSError):
        path.unlink()


def _parsed(content: Any) -> Record:
    if content["version"] != VERSION:
        return Record()
    pieces = tuple(
        Piece(
            _number(piece["end"]),
            tuple(Word(*_span(start, end), _text(text)) for start, end, text in piece["words"]),
            tuple(_span(start, end) for start, end in piece["left_out"]),
            _text(piece["language"]),
            _number(piece["certainty"]),
        )
        for piece in content["pieces"]
    )
    if any(a.end >= b.end for a, b in pairwise(pieces)) or content["complete"] not in (True, False):
        raise ValueError
    return Record(pieces, bool(content["complete"]))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_SECONDS:
        raise ValueError
    return float(value)


def _span(start: Any, end: Any) -> tuple[float, float]:
    return _number(start), _number(end)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise ValueError
    return value


def languages(pieces: Sequence[Piece]) -> dict[str, float]:
    """Languages that are spoken, that of the most words first, each with its highest probability."""
    words: dict[str, int] = {}
    certainty: dict[str, float] = {}
    for piece in pieces:
        if piece.words:
            words[piece.language] = words.get(piece.language, 0) + len(piece.words)
            certainty[piece.language] = max(certainty.get(piece.language, 0.0), piece.certainty)
    return {name: certainty[name] for name in sorted(words, key=lambda name: -words[name])}
