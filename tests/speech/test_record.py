"""Records of what was heard: written and read as they are, and refused where they are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stage.errors import InputError
from stage.speech.listening import Piece, uncertain_note
from stage.speech.record import Record, languages, read_record, write_record
from stage.speech.sentences import Word

PIECES = (
    Piece(290.5, (Word(1.0, 1.5, " Hello"), Word(1.5, 2.0, " there.")), ((7.0, 9.0),), "en", 0.9),
    Piece(400.0),
    Piece(500.0, (Word(401.0, 402.0, " Ja!"),), (), "de", 0.6),
)


@pytest.mark.parametrize("record", [Record(), Record(PIECES), Record(PIECES, complete=True)])
def test_a_record_is_read_as_it_was_written(record: Record, tmp_path: Path) -> None:
    write_record(tmp_path / "r.json", record)
    assert read_record(tmp_path / "r.json") == record


def test_no_record_is_an_empty_one(tmp_path: Path) -> None:
    assert read_record(tmp_path / "r.json") == Record()


def damaged(**changes: Any) -> str:
    piece = {"end": 5.0, "words": [], "left_out": [], "language": "", "certainty": 0.0}
    return json.dumps({"version": 1, "complete": True, "pieces": [piece | changes]})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 1}',
        '{"version": 1, "complete": "no", "pieces": []}',
        damaged(end="5"),
        damaged(end=-1),
        damaged(end=True),
        damaged(end=float("nan")),
        damaged(end=10**400),
        damaged(words=[[1.0, 2.0]]),
        damaged(words=[[1.0, 2.0, 3]]),
        damaged(words=[[1.0, 2.0, "x" * 5000]]),
        damaged(left_out=[1]),
        damaged(language=None),
        json.dumps({"version": 1, "complete": True, "pieces": 2 * json.loads(damaged())["pieces"]}),
    ],
)
def test_a_damaged_record_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError) as caught:
        read_record(tmp_path / "r.json")
    assert "\n" not in str(caught.value)


def test_records_of_another_version_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"version": 0, "words": []}')
    assert read_record(tmp_path / "r.json") == Record()


def test_languages_come_by_the_number_of_their_words() -> None:
    assert list(languages(PIECES).items()) == [("en", 0.9), ("de", 0.6)]
    assert languages(PIECES[1:2]) == {}


def test_what_was_not_understood_is_told() -> None:
    (note,) = uncertain_note(PIECES)
    assert note == "1 stretch of sound not understood and left out: 7 to 9 s"
    assert uncertain_note(PIECES[1:]) == ()
