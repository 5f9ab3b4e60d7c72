"""Files of questions about a film: TVQA+'s JSON lists, JSON lines and CSV"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stage.annotation.questions import question_from_json
from stage.errors import InputError
from stage.inference.asked import Asked, Id
from stage.io import parse_json, read_limited
from stage.types import Question
from stage.wording import counted, quoted

SEPARATOR = "|"
"""Between the answers of a CSV's only column of answers."""
DELIMITERS = ",;\t"
NUMBERED_ANSWER = re.compile(r"(?:a|answer[ _]?)(\d+)")
NAMES = {
    "id": ("id", "qid"),
    "text": ("question", "q"),
    "answers": ("answers", "answer", "candidates"),
    "clip": ("vid_name", "clip"),
}
"""What a question consists of -> the keys or columns that can have it, the first that is there."""
LABELS = ("answer_idx", "ts", "bbox")
LONGEST_CELL = 2**20
"""Characters of a cell of a CSV."""
Entry = Mapping[str, Any]


def read_asked(path: Path) -> tuple[list[Asked], tuple[str, ...]]:
    """The questions of a file, and notes to the user on how it was read.

    JSON is recognised by its first sign, [ or {; everything else is CSV, unless the file's name ends in .json or
    .jsonl. Questions without an id are counted from 1. Raises InputError naming the file and the question.
    """
    text, notes = _decoded(path)
    start = text.lstrip()[:1]
    if start in ("[", "{") or {".json", ".jsonl"} & set(path.suffixes):
        entries = _from_json(text, path)
    else:
        entries, more = _from_csv(text, path)
        notes += more
    if not entries:
        raise InputError(f"{path}: has no questions; write a list of them")
    questions = [_named(entry, where, number) for number, (where, entry) in enumerate(entries, 1)]
    seen: dict[str, str] = {}
    for asked, (where, _) in zip(questions, entries, strict=True):
        if (first := seen.setdefault(str(asked.id), where)) != where:
            raise InputError(f"{where}: has the id {quoted(asked.id)} of {first}; every id must be unique")
    return questions, notes


def asked_from(entry: Any, number: int) -> Asked:
    """One question as a mapping: `question` or `q`; `answers`, or `a0`, `a1`, ...; and optionally id and labels.

    number: counts from 1; the id of a question without one. Raises ValueError or KeyError if it is none.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"is {quoted(entry)}; it must be an object with question and answers")
    text = _value(entry, "text")
    if not isinstance(text, str):
        raise KeyError("question") if text is None else ValueError(f"question is {quoted(text)}, not a text")
    clip = _value(entry, "clip")
    if not isinstance(clip, str | None):
        raise ValueError(f"vid_name is {quoted(clip)}, which is not a string")
    answers = _answers(entry)
    few = len(answers) < 2  # it may be answered freely, or is refused when it is asked
    candidates = ("-", "-") if few else answers
    labels = {name: entry[name] for name in LABELS if entry.get(name) not in (None, "")}
    if few and labels.pop("answer_idx", None) is not None:
        raise ValueError(f"answer_idx names one of {counted(len(answers), 'candidate answer')}")
    parsed = question_from_json(
        {"qid": number, "vid_name": clip or "", "q": text, **labels}
        | {f"a{i}": answer for i, answer in enumerate(candidates)}
    )
    return Asked(_id(_value(entry, "id"), number), replace(parsed, answers=answers))


def _named(entry: Entry, where: str, number: int) -> Asked:
    try:
        return asked_from(entry, number)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{where}: {reason}") from None


def _value(entry: Entry, part: str) -> Any:
    return next((entry[name] for name in NAMES[part] if entry.get(name) not in (None, "")), None)


def _id(given: Any, number: int) -> Id:
    if given is None:
        return number
    if type(given) is float and math.isfinite(given) and given.is_integer():
        return int(given)
    if type(given) not in (int, str):
        raise ValueError(f"its id is {quoted(given)}, which is neither a string nor a whole number")
    return given  # type: ignore[no-any-return]


def _answers(entry: Entry) -> tuple[str, ...]:
    """The candidates: a list, or numbered keys, whose numbers must follow each other. None is no candidate at all."""
    numbered = {int(found[1]): key for key in entry if (found := NUMBERED_ANSWER.fullmatch(str(key).lower()))}
    given = [(number, entry[numbered[number]]) for number in sorted(numbered)]
    while given and given[-1][1] in (None, ""):  # empty cells of questions with fewer candidates
        given.pop()
    listed = _value(entry, "answers")
    if given and listed is not None:
        raise ValueError("has both a list of answers and numbered ones; give one of them")
    if listed is not None:
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise ValueError(f"its answers are {quoted(listed)}; write a list of texts")
        values = list(listed)
    else:
        values = [value for _, value in given]
        if given and [number - given[0][0] for number, _ in given] != list(range(len(given))):
            raise ValueError(f"the numbers of its answers, {', '.join(numbered.values())}, have gaps")
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"an answer is {quoted(value)}, which is not a string")
    return tuple(values)


def _decoded(path: Path) -> tuple[str, tuple[str, ...]]:
    raw = bytes(read_limited(path))
    marks = {
        codecs.BOM_UTF32_LE: "utf-32",
        codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16",
        codecs.BOM_UTF16_BE: "utf-16",
    }
    encoding = next((name for mark, name in marks.items() if raw.startswith(mark)), "utf-8-sig")
    notes: tuple[str, ...] = ()
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
        notes = (f"{path}: not UTF-8, read as cp1252; if letters look wrong, save it as UTF-8",)
    if "\0" in text:
        raise InputError(f"{path}: is not text; give questions as JSON or CSV")
    return text, notes


def _from_json(text: str, path: Path) -> list[tuple[str, Entry]]:
    """Where each entry is -> the entry. A list, or one object per line."""
    if text.lstrip()[:1] == "[":
        listed = parse_json(text, str(path))
        return [(f"{path}, question {number}", entry) for number, entry in enumerate(listed, 1)]
    lines = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]  # not at U+2028
    if len(lines) > 1 and lines[0][1].strip() == "{":
        raise InputError(
            f"{path}: is one JSON object over several lines; write a list of questions, or one question per line"
        )
    return [(f"{path}, line {i}", parse_json(line, f"{path}, line {i}")) for i, line in lines]


def _from_csv(text: str, path: Path) -> tuple[list[tuple[str, Entry]], tuple[str, ...]]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=header.count)
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    entries: list[tuple[str, Entry]] = []
    columns: list[str] = []
    try:
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if not columns:
                columns = [name.strip().lower() for name in row]
                _check_columns(columns, path)
            elif len(row) > len(columns):
                raise InputError(
                    f"{path}, line {reader.line_num}: has {len(row)} cells for {counted(len(columns), 'column')}; "
                    f'put texts with "{delimiter}" in them into quotation marks'
                )
            else:
                entries.append((f"{path}, line {reader.line_num}", _entry(columns, row)))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not CSV ({error})") from None
    known = {name for names in NAMES.values() for name in names} | set(LABELS) - {"bbox"}
    unread = [name for name in columns if name not in known and not NUMBERED_ANSWER.fullmatch(name)]
    notes = (f"{path}: not read: {counted(len(unread), 'column')} {', '.join(unread)}",) if unread else ()
    return entries, notes


def _check_columns(columns: Sequence[str], path: Path) -> None:
    if not set(columns) & set(NAMES["text"]):
        raise InputError(
            f"{path}: has no column named question, but {', '.join(map(quoted, columns))}; the first line names the "
            "columns, such as question,answer1,answer2"
        )
    if twice := next((name for i, name in enumerate(columns) if name and name in columns[:i]), None):
        raise InputError(f"{path}: two columns are named {quoted(twice)}; give each its own name")


def _entry(columns: Sequence[str], row: Sequence[str]) -> Entry:
    cells: dict[str, Any] = {name: cell.strip() for name, cell in zip(columns, row, strict=False)}
    for name in NAMES["answers"]:
        if cells.get(name):
            cells[name] = [answer.strip() for answer in cells[name].split(SEPARATOR)]
    if cells.get("ts", "").startswith("["):
        cells["ts"] = cells["ts"].strip("[]").replace(",", "-").replace(" ", "")
    cells.pop("bbox", None)
    return cells


def of_film(
    questions: Sequence[Asked], names: Sequence[str], path: Path
) -> tuple[list[Asked], tuple[str, ...]]:
    """The questions about one film, with notes on the others.

    names: how the film's clip may be called. Those of other clips are left out. If none is about this film, all are
    asked, unless they are about several clips. Raises InputError then.
    """
    own = set(names)
    clips = list(dict.fromkeys(asked.question.clip for asked in questions if asked.question.clip))
    name = next(iter(own & set(clips)), None)
    if name is not None:
        kept = [asked for asked in questions if asked.question.clip in (*own, "")]
        left_out = len(questions) - len(kept)
        verb = "is about another clip and is" if left_out == 1 else "are about other clips and are"
        note = f"{path}: {left_out:,} of {counted(len(questions), 'question')} {verb} not asked"
        return kept, (note,) if left_out else ()
    shown = ", ".join(map(quoted, clips[:3])) + (", ..." if len(clips) > 3 else "")
    if len(clips) > 1:
        raise InputError(
            f"{path}: its questions are about {len(clips)} clips ({shown}), and none about {names[0]!r}; "
            "give the film of one of them, or leave vid_name out"
        )
    note = f"{path}: its questions are about the clip {shown}; they are asked about this film all the same"
    return list(questions), (note,) if clips else ()


def parsed(questions: Iterable[Any]) -> Iterator[Asked]:
    """Questions as a caller in Python gives them: pairs of question and answers, mappings, or `Question`.

    Raises InputError naming the first that is none.
    """
    for number, given in enumerate(questions, 1):
        where = f"question {number}"
        if isinstance(given, Question):
            yield Asked(given.qid, given)
        elif isinstance(given, str):
            yield Asked(number, Question(number, "", given, ()))
        elif isinstance(given, Mapping):
            yield _named(given, where, number)
        elif isinstance(given, Sequence) and len(given) == 2:
            yield _named({"question": given[0], "answers": given[1]}, where, number)
        else:
            raise InputError(f"{where}: is {quoted(given)}; give a pair of question and answers")
