"""What models print, read: moments and answers. Replies are untrusted: nothing in one raises an error"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stage.wording import counted, quoted

MOST_CHARACTERS = 20_000
"""Of a reply that is read; the rest is left out."""
LONGEST_ANSWER = 200
"""Characters of an answer."""
MOST_SPANS = 50
THOUGHTS, THOUGHTS_END = "<think>", "</think>"

_OBJECT = re.compile(r"\{[^{}]*\}")
_FENCE = re.compile(r"```[a-zA-Z0-9]*")
_TURN = re.compile(r"<\|[a-z_]{1,30}\|>|</?s>|<(?:start|end)_of_turn>")
_TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.DOTALL | re.IGNORECASE)
_LEAD = re.compile(
    r"^\W*(?:(?:the|my|final|best|correct)\s+){0,3}(?:answer|option)(?:\s+is\b\s*:?|\s*:)\s*", re.IGNORECASE
)

_TIME = r"(-?\d{1,9}(?::\d{1,3}){0,2}(?:\.\d{1,9})?)"
_UNIT = r"\s{0,3}(s|secs?|seconds?)?\b\.?"
_TO = r"\s{0,3}(?:-|–|—|to|until|till|and)\s{0,3}"
_PAIR = re.compile(rf"[\[(]\s{{0,9}}{_TIME}{_UNIT}\s{{0,9}},\s{{0,9}}{_TIME}{_UNIT}\s{{0,9}}[\])]")
_RANGE = re.compile(
    rf"((?:from|between)\s{{1,3}})?(?<![\d.:]){_TIME}{_UNIT}{_TO}{_TIME}{_UNIT}(?![\d:])", re.IGNORECASE
)
_START, _END = ("start", "start_time", "begin", "from"), ("end", "end_time", "stop", "to")


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments that a reply names, and what could not be read."""

    spans: tuple[tuple[float, float], ...] = ()
    """Start and end in seconds, within the film, in the order of the reply."""
    notes: tuple[str, ...] = ()


def answer_in(text: str) -> str:
    """The answer that a reply gives, in one line of at most LONGEST_ANSWER characters; empty if there is none."""
    said = answered(text)
    lines = [" ".join(line.split()).strip("*_`# ") for line in said.splitlines()]
    line = next((line for line in lines if any(map(str.isalnum, line))), "")
    line = _LEAD.sub("", line, count=1).strip('*_`" ') or line
    if len(line) <= LONGEST_ANSWER:
        return line
    return line[: LONGEST_ANSWER - 4].rsplit(" ", 1)[0] + " ..."


def moments_in(text: str, duration: float) -> Moments:
    """The moments that a reply names: "From 1.0 seconds to 2.5 seconds.", [[1.0, 2.5]], 00:01.00 - 00:02.50, objects.

    duration: of the film, in seconds, to which they are limited.
    """
    said, notes = spoken(text), []
    spans: list[tuple[float, float]] = []
    raw = list(_raw_spans(said))
    if len(raw) > MOST_SPANS:
        notes.append(
            f"the model named {counted(len(raw), 'moment')}, of which the first {MOST_SPANS} are read"
        )
    for start, end in raw[:MOST_SPANS]:
        if not (math.isfinite(start) and math.isfinite(end)):
            notes.append("a moment without a finite time is left out")
            continue
        if end < start:
            notes.append(f"a moment ended before it began ({start:g} to {end:g} s), and is turned round")
            start, end = end, start
        if end < 0 or start > duration:
            notes.append(f"a moment outside the film is left out ({start:g} to {end:g} s)")
            continue
        if start < 0 or end > duration:
            notes.append(f"a moment goes beyond the film ({start:g} to {end:g} s), and is limited to it")
        spans.append((max(0.0, start), min(duration, end)))
    if not raw:
        notes.append(f"no moment could be read in the reply {quoted(said.strip())}")
    return Moments(tuple(dict.fromkeys(spans)), tuple(dict.fromkeys(notes)))


def spoken(text: str) -> str:
    """A reply without its thoughts, code fences and control characters, of at most MOST_CHARACTERS."""
    text = text.rsplit(THOUGHTS_END, 1)[-1].split(THOUGHTS, 1)[0]
    text = _FENCE.sub("\n", text[:MOST_CHARACTERS])
    return "".join(sign for sign in text if sign in "\n\t" or not _is_noise(sign))


def answered(text: str) -> str:
    """What a reply says, or of it what stands between <answer> and </answer>.

    Some models write the tokens of a chat as text and go on with another turn: what stands before the first, or after
    it if that is nothing, is what they say.
    """
    said = spoken(text)
    said = next((part for part in _TURN.split(said) if part.strip()), "")
    tagged = _TAGGED.search(said)
    return tagged[1] if tagged else said


def _is_noise(sign: str) -> bool:
    """Whether a character is a control character, or stands for bytes that are no text."""
    return sign == "\ufffd" or unicodedata.category(sign)[0] == "C"


def objects_in(text: str) -> tuple[list[dict[str, Any]], int]:
    """The objects of JSON in a text that contain no others, and how many could not be read.

    Lists need not be complete: what comes before and after is not looked at, so a list that was cut off gives what is
    whole of it.
    """
    objects, unread = [], 0
    for found in _OBJECT.findall(text):
        value = _parsed(found)
        if value is None:
            value = _parsed(found.replace("'", '"'))
        if value is None:
            unread += 1
        else:
            objects.append(value)
    return objects, unread + (text.rfind("{") > text.rfind("}"))


def number(value: Any) -> float:
    """A number that was read, or a text of one; not a number (NaN) for all else."""
    try:
        return math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _raw_spans(text: str) -> Iterator[tuple[float, float]]:
    """Pairs of times in seconds, unchecked: from objects, else from lists, else from words."""
    found = [
        (_value(start), _value(end))
        for entry in objects_in(text)[0]
        if (start := _first(entry, _START)) is not None and (end := _first(entry, _END)) is not None
    ]
    found = found or [(_seconds(pair[0]), _seconds(pair[2])) for pair in _PAIR.findall(text)]
    if found:
        yield from found
        return
    for match in _RANGE.finditer(text):
        lead, start, unit, end, other = match.groups()
        alone = match[0].strip() == text.strip(" \n\t.*`\"'")
        if lead or unit or other or alone or ":" in start + end:
            yield _seconds(start), _seconds(end)


def _first(entry: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((entry[key] for key in keys if key in entry), None)


def _value(value: Any) -> float:
    """A time of an object: a number, or a text such as "12.3s" or "00:12.3"."""
    if isinstance(value, str):
        match = re.match(_TIME, value.strip())
        return _seconds(match[1]) if match else math.nan
    return number(value)


def _seconds(time: str) -> float:
    """A time as "12.3", "01:02.5" or "1:00:02", in seconds."""
    total = 0.0
    for part in time.lstrip("-").split(":"):
        total = 60 * total + float(part)
    return -total if time.startswith("-") else total
