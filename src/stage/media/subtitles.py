"""Subtitle files, and the subtitle tracks of films, to timed sentences."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pysubs2

from stage.errors import InputError
from stage.types import Sentence

SHORTEST_REPAIR = 2.0
"""Seconds that a sentence gets whose end is not after its start."""
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")
FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}

# Blocks of WebVTT that are not cues.
BLOCK = re.compile(r"^(?:NOTE|STYLE|REGION)\b.*?(?=\r?\n\s*\r?\n|\Z)", re.DOTALL | re.MULTILINE)
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
NOT_SPOKEN = re.compile(r"[♪♫♬]|\\h")
# Words, numbers and contractions as the Penn Treebank separates them; everything else stands alone.
TOKENS = re.compile(
    r"\d+(?:[.,:]\d+)*|(?:Dr|Mr|Mrs|Ms|Prof|St)\.|[oO]'\w+|\w+(?=n't\b)|n't\b|'(?:s|m|d|ll|re|ve)\b|\w+(?:[-.]\w+)*|\.\.\.|[^\w\s]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Subtitles:
    """What is said in a film, in the order of time."""

    sentences: tuple[Sentence, ...]
    notes: tuple[str, ...] = ()
    """What was wrong and how it was repaired."""


def read_subtitles(path: Path) -> Subtitles:
    """A .srt, .vtt, .ass or .ssa file. Raises InputError if nothing in it can be read as subtitles."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the subtitles")
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: subtitles are read from .srt, .vtt, .ass and .ssa files; convert it to one of them"
        )
    text, encoding = _decode(path)
    notes = [f"{path.name} is not UTF-8; read as {encoding}"] if encoding == "cp1252" else []
    try:
        markup = VOICE.sub(r"\1 : ", BLOCK.sub("", text) if path.suffix.lower() == ".vtt" else text)
        events = pysubs2.SSAFile.from_string(markup, FORMATS[path.suffix.lower()]).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError, IndexError) as error:
        raise InputError(f"{path}: can't be read as subtitles ({error}); is it damaged?") from None
    cues = [(e.start / 1000, e.end / 1000, "" if e.is_comment or e.is_drawing else e.text) for e in events]
    return _tidy(cues, notes, str(path))


def subtitles_of(path: Path) -> Subtitles | None:
    """The first text subtitle track within a film file; none if it has none."""
    with av.open(str(path), metadata_errors="ignore") as container:
        tracks = [s for s in container.streams.subtitles if not _is_bitmap(s)]
        if not tracks:
            return None
        cues = [cue for packet in container.demux(tracks[0]) for cue in _cues(packet)]
    return _tidy(cues, [], f"{path} (subtitle track)") if cues else None


def tokenise(text: str) -> str:
    """Words and punctuation with blanks between them, contractions apart ("do n't"), apostrophes straight."""
    straight = text.replace("’", "'").replace("‘", "'").replace("`", "'")
    return " ".join(TOKENS.findall(straight))


def check_overlap(sentences: Sequence[Sentence], duration: float) -> tuple[str, ...]:
    """Notes on sentences past a film's end. Raises InputError if none lies within it: they are another film's."""
    inside = [s for s in sentences if s.start < duration]
    if not inside:
        raise InputError(
            f"the subtitles start at {sentences[0].start:.1f} s, but the film ends at {duration:.1f} s: "
            "they belong to another film"
        )
    late = len(sentences) - len(inside)
    return (f"{late} subtitle sentences lie beyond the film's end at {duration:.1f} s",) if late else ()


def _decode(path: Path) -> tuple[str, str]:
    raw = path.read_bytes()
    if not raw.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in raw[:4096]:
        raise InputError(f"{path}: is not a text file; give subtitles as .srt, .vtt or .ass")
    for encoding in ENCODINGS:
        if encoding == "utf-16" and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "cp1252"


def _tidy(cues: Iterable[tuple[float, float, str]], notes: list[str], source: str) -> Subtitles:
    """Clean texts, drop empty cues, put times in order; say what was done."""
    cleaned = [Sentence(start, end, text) for start, end, raw in cues if (text := tokenise(_plain(raw)))]
    if not cleaned:
        raise InputError(f"{source}: holds no readable subtitles; check that it is the right file")
    if any(a.start > b.start for a, b in pairwise(cleaned)):
        notes.append(f"{source}: sentences were out of order and are sorted by their start")
    cleaned.sort(key=lambda s: s.start)
    if early := sum(s.start < 0 for s in cleaned):
        notes.append(f"{source}: {early} sentences start before the film; they are cut at 0 s")
        cleaned = [replace(s, start=max(s.start, 0.0)) for s in cleaned]
    if backward := sum(s.end <= s.start for s in cleaned):
        notes.append(
            f"{source}: {backward} sentences end before they start; they get {SHORTEST_REPAIR:.0f} s or less"
        )
        following = [*(s.start for s in cleaned[1:]), float("inf")]
        cleaned = [
            s if s.end > s.start else replace(s, end=min(s.start + SHORTEST_REPAIR, max(nxt, s.start + 0.1)))
            for s, nxt in zip(cleaned, following, strict=True)
        ]
    if overlapping := sum(a.end > b.start + 1e-6 for a, b in pairwise(cleaned)):
        notes.append(f"{source}: {overlapping} sentences overlap with the next one; both are kept")
    return Subtitles(tuple(cleaned), tuple(notes))


def _plain(raw: str) -> str:
    """Text without markup, on one line."""
    lines = raw.replace("\\N", " ").replace("\\n", " ").replace("\n", " ")
    return html.unescape(NOT_SPOKEN.sub(" ", TAG.sub("", lines)))


def _is_bitmap(stream: Any) -> bool:
    return stream.codec_context.name in {
        "dvdsub",
        "dvd_subtitle",
        "pgssub",
        "hdmv_pgs_subtitle",
        "dvbsub",
        "xsub",
    }


def _cues(packet: Any) -> Iterable[tuple[float, float, str]]:
    """The cues of a packet of a subtitle track, as the decoder gives them: ASS dialogue lines, or plain text."""
    if packet.pts is None or not packet.size:
        return
    start = float(packet.pts * packet.time_base)
    end = start + float((packet.duration or 0) * packet.time_base)
    for subtitle in packet.decode():
        for part in getattr(subtitle, "rects", None) or [subtitle]:
            dialogue = getattr(part, "dialogue", None) or getattr(part, "text", None) or b""
            yield (
                start,
                end,
                dialogue.decode("utf-8", "replace") if isinstance(dialogue, bytes) else str(dialogue),
            )
