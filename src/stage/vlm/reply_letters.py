"""The letter of an option that a model names in words"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stage.vlm.replies import answered
from stage.wording import quoted

_LETTER = r"(?:\b(?i:option|choice)\s{1,3})?[(\[\"'*]{0,4}(?<!\w)(?<!\w['’])[A-Z](?!['’]?\w)[)\]\"'*.]{0,4}"
_GOES_ON = r"\s{1,3}(?!(?:or|and|nor|as|because|since|is|are|was|which|with)\b)[a-z]"
"""What follows an "A" that is no letter, as in "A man"."""
_JOINT = r"(?:\s{0,3}[,/&+]\s{0,3}(?:(?:or|and|nor)\s{1,3})?|\s{1,3}(?:or|and|nor)\s{1,3})"
_OPTIONS = re.compile(
    rf"{_LETTER}(?:{_JOINT}{_LETTER}(?!{_GOES_ON}))*(?P<more>\s{{1,3}}(?:or|and)\s{{0,3}}$)?"
)
"""Options that are named in one breath: "B", "(A) or (B)", "A, C"; "more" if the reply ends before the last."""
_SINGLE = re.compile(r"(?<!\w)[A-Z](?!\w)")
_NOT = re.compile(
    r"(?:\b(?:not|nor|neither|except|rather than|instead of)|n['’]t(?:\s+be)?)\s{1,3}$", re.IGNORECASE
)
_WRONG = re.compile(
    r"\s{1,3}(?:is|are|was|were|seems?|looks?)"
    r"(?:n['’]t|\s{1,3}(?:not|wrong|incorrect|false|impossible|unlikely|ruled out))\b"
)
_ANNOUNCED = re.compile(r"\b(?:answer|option|choice)(?:\s{1,3}is|\s{0,3}:)?\W{0,8}$", re.IGNORECASE)
MORE = "..."
"""Stands for an option that was not written any more."""
_BEFORE = 40
"""Characters that are looked at before an option."""


def letter_in(text: str, letters: Sequence[str]) -> tuple[int | None, tuple[str, ...]]:
    """The letter that a reply names, as an index, and notes; None if it names none, or several.

    Options that it says are wrong don't count ("not A", "A is wrong"). Of the others those decide that are named in
    the clearest way: announced ("the answer is B"), at the beginning of a line ("B) a mug"), in brackets, anyhow. If
    these are different ones, or "A or B", several are named.

    letters: single capitals.
    """
    said = answered(text)
    named: dict[int, set[str]] = {}
    for clarity, found in _named(said):
        named.setdefault(clarity, set()).update(found & {*letters, MORE})
    clearest = next((named[clarity] for clarity in sorted(named) if named[clarity]), set())
    if len(clearest) == 1 and clearest != {MORE}:
        return letters.index(clearest.pop()), ()
    what = "several options" if clearest else "no option"
    return None, (f"the model named {what}: {quoted(said.strip())}",)


def _named(said: str) -> Iterator[tuple[int, set[str]]]:
    """Options that are not said to be wrong, each with how clearly it is named, 0 the clearest."""
    for match in _OPTIONS.finditer(said):
        before, after = said[max(0, match.start() - _BEFORE) : match.start()], said[match.end() :][:_BEFORE]
        if _NOT.search(before) or _WRONG.match(after):
            continue
        found = set(_SINGLE.findall(match[0]))
        is_word = match[0] in {"A", "I"} and re.match(_GOES_ON, after)
        if match["more"]:
            found.add(MORE)
        if not is_word and (_ANNOUNCED.search(before) or match[0][:6].lower() in {"option", "choice"}):
            yield 0, found
        elif _begins_line(said, match):
            yield 1, found
        elif "(" in match[0]:
            yield 2, found
        elif not is_word:
            yield 3, found


def _begins_line(said: str, match: re.Match[str]) -> bool:
    """Whether options are all of a line, or are set off from what follows by a sign."""
    start = said[: match.start()].rpartition("\n")[2]
    rest = said[match.end() :].partition("\n")[0]
    return not start.strip() and (not rest.strip() or rest[0] in ":,;" or not match[0][-1].isalnum())
