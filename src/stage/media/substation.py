"""The text of .ass and .ssa subtitle files to timed cues, without drawings, comments and override tags."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace

from stage.media.cues import Cue, Findings

LONGEST_LINE = 50_000
"""Characters of a .ass dialogue that is read; longer ones are drawings."""
ASS_COMMENT = re.compile(r"\{([^}]*)\}")
DRAWING_BEGINS = re.compile(r"\\p[1-9]")
ASS_SECTION = re.compile(r"\[[^\]]+\]$")
ASS_KEYS = re.compile(r"(?:Format|Dialogue|Comment|Picture|Sound|Movie|Command)\s*:|;|!:|$")


def parse_substation(text: str, findings: Findings) -> list[Cue]:
    """The spoken cues of a .ass or .ssa file, without drawings, comments and override tags."""
    from pysubs2.exceptions import Pysubs2Error
    from pysubs2.formats.substation import EVENT_FIELDS

    kind = "ssa" if "[V4 Styles]" in text else "ass"
    fields: list[str] = EVENT_FIELDS[kind]
    order, cues, in_events = fields, [], False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if ASS_SECTION.match(line):
            in_events = line.lower().startswith("[events]")
        elif in_events and line.startswith("Format:"):
            named = [name.strip().lower() for name in line.removeprefix("Format:").split(",")]
            order = named if {"start", "end", "text"} <= set(named) else fields
        elif line.startswith("Dialogue:") and len(line) > LONGEST_LINE:
            findings.add(f"dialogue of more than {LONGEST_LINE:,} characters, dropped", number)
        elif line.startswith("Dialogue:"):
            try:
                cues += [replace(cue, line=number) for cue in _dialogue(line, kind, order, fields)]
            except (Pysubs2Error, ValueError, IndexError, KeyError, TypeError):
                findings.add("dialogue can't be read, dropped", number)
        elif in_events and not ASS_KEYS.match(line):
            findings.add("neither a dialogue nor a comment, dropped", number)
    return cues


def _dialogue(line: str, kind: str, order: Sequence[str], fields: Sequence[str]) -> list[Cue]:
    """order: the fields as the file's Format line names them; pysubs2 reads them in the usual order alone."""
    from pysubs2 import SSAFile

    if list(order) != list(fields):
        given = line.removeprefix("Dialogue:").split(",", len(order) - 1)
        values = dict(zip(order, given, strict=True))
        line = "Dialogue:" + ",".join(values.get(name, "0") for name in fields)
    with warnings.catch_warnings(action="ignore"):
        events = SSAFile.from_string(f"[Events]\n{line}", kind).events
    return [Cue(e.start / 1000, e.end / 1000, shown_text(e.text)) for e in events]


def shown_text(ass: str) -> str:
    """The text of an .ass dialogue without drawings, comments and override tags."""
    closed, brace, rest = ass.rpartition("}")  # an open brace after the last one is text
    shown, drawing = [], False
    for i, part in enumerate(ASS_COMMENT.split(closed + brace)):
        if i % 2 == 0:
            shown.append("" if drawing else part)
        elif DRAWING_BEGINS.search(part) or "\\p0" in part:
            drawing = DRAWING_BEGINS.search(part) is not None
    return "".join(shown) + ("" if drawing else rest)
