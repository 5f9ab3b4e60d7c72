"""Subtitles written as .srt or .vtt files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pysubs2

from stage.io import OutputKind, starts_with, write_text
from stage.media.cues import Cue

SUBTITLE_FILE = OutputKind(
    "a subtitle file",
    lambda path: starts_with(path, r"\ufeff?\s*(?:WEBVTT(?:\s|$)|\d+\s*\n\s*\d+:\d+:\d+[,.]\d+\s*-->)"),
    (".srt", ".vtt"),
)
LONGEST_LINE = 42
"""Characters; longer text is shown on two lines."""


def subtitle_text(cues: Iterable[Cue], ending: str = ".srt") -> str:
    """The content of a subtitle file. ending: ".srt" or ".vtt". Texts contain no markup."""
    file = pysubs2.SSAFile()
    file.events = [
        pysubs2.SSAEvent(round(cue.start * 1000), round(cue.end * 1000), _on_lines(cue.markup))
        for cue in cues
    ]
    return str(file.to_string(ending.removeprefix("."))).rstrip("\n") + "\n"


def write_subtitles(path: Path, cues: Sequence[Cue]) -> None:
    """Write .srt or .vtt, by the path's ending. Raises InputError if it can't be written there."""
    write_text(path, subtitle_text(cues, path.suffix.lower()))


def _on_lines(text: str) -> str:
    """A long text on two lines, broken at the space nearest to its middle."""
    spaces = [place for place, char in enumerate(text) if char == " "]
    if len(text) <= LONGEST_LINE or not spaces:
        return text
    middle = min(spaces, key=lambda place: abs(2 * place - len(text)))
    return f"{text[:middle]}\\N{text[middle + 1 :]}"
