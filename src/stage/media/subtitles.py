"""Subtitle files, and the subtitle tracks of films, to timed sentences."""

from __future__ import annotations

import codecs
import html
import math
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import av
import pysubs2
from av.container import InputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

from stage.errors import InputError
from stage.media.decoding import open_container
from stage.types import Sentence

REPAIRED_SECONDS = 2.0
"""Seconds that a sentence gets at most whose end is not after its start."""
SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
TEXT_CODECS = {"srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text"}
MOST_CONTROL_CHARACTERS = 0.05
"""Share of characters; what has more is not a text."""

STAMP = r"(?:\d+:)?\d+:\d+[.,]\d+"
SRT_STAMP = re.compile(r"\d,\d+ *-->")
NEGATIVE_STAMP = re.compile(rf"(?<![-\d])-{STAMP}(?=.*-->)|(?<=-->)\s*-{STAMP}")
BLOCK = re.compile(r"(?<=\n\n)(?:NOTE|STYLE|REGION)(?=\s).*?(?=\n\n|\Z)", re.DOTALL)
CUE_NAME = re.compile(rf"(?<=\n\n)(?:[^\n]+\n)?(?={STAMP} *-->)")
NUMBER = "0\n"
"""Put in place of cues' names. The parser takes a number away in front of each cue, and one at the end: without it
that would be the last line of what is said, if that is a number."""
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
TAG = re.compile(r"</?[a-z0-9][^>]*>|\{\\[^}]*\}|[♩♪♫♬]", re.IGNORECASE)
DRAWING = re.compile(r"\{[^}]*\\p[1-9][^}]*\}.*?(?=\{[^}]*\\p0[^}]*\}|\Z)", re.DOTALL)
ASS_COMMENT = re.compile(r"\{[^}]*\}")
LINE_BREAK = re.compile(r"\\[Nnh]|\s+")

APOSTROPHES = str.maketrans("’‘ʼ`´", "'''''")
INVISIBLE = re.compile("[\ud800-\udfff\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
BETWEEN_WORDS = re.compile(r"""["“”„«»()\[\]{}<>*_~^|\\/‐‑‒–—―-]""")
# As the Penn Treebank separates them: numbers; contractions and what they hang on; words; points; other signs.
TOKENS = re.compile(
    r"\d+(?:[.,]\d+)+(?!\w)"
    r"|n't\b|\w+?(?=n't\b)|\b(?:can(?=not\b)|(?:gon|wan)(?=na\b))"
    r"|'(?:s|m|d|ll|re|ve|em|til|tis|cause|bout)\b"
    r"|\w+(?:'(?!(?:s|m|d|ll|re|ve)\b)\w+)*"
    r"|\.\.\.|[^\w\s]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Subtitles:
    """What is said in a film."""

    sentences: tuple[Sentence, ...]
    """Sorted by start; at least one."""
    notes: tuple[str, ...] = ()
    """What was wrong and how it was repaired, to be put before the user."""


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    markup: str


def read_subtitles(path: Path) -> Subtitles:
    """A .srt, .vtt, .ass or .ssa file. Raises InputError if nothing in it can be read as subtitles."""
    if path.is_dir() or not path.exists():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {reason}; check the path of the subtitles")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: subtitles are read from {', '.join(SUFFIXES)} files; convert it to one of them"
        )
    text, notes = _read_text(path)
    cues = _parse(path, text, notes)
    sentences = _sentences(cues)
    if not sentences:
        raise InputError(f"{path}: holds no readable subtitles; check that it is the right file, and whole")
    return _repaired(sentences, notes, path.name)


def subtitles_of(path: Path) -> Subtitles | None:
    """The text subtitle track within a film file; none if there is none, or nothing in it.

    Of several: not one of forced subtitles only, English if there is, otherwise the first. Raises InputError if
    the file can't be read.
    """
    try:
        with open_container(path) as container:
            track = _text_track(container)
            cues = [] if track is None else list(_track_cues(container, track))
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check the path of the film") from None
    sentences = _sentences(cues)
    return _repaired(sentences, [], f"{path.name}, subtitle track") if sentences else None


def tokenise(text: str) -> str:
    """Words and signs with blanks between them as in TVQA+: "do n't", "Penny 's", "Dr . Cooper".

    Apostrophes are made straight; quotation marks, brackets and dashes are left away. Doing it again changes
    nothing.
    """
    straight = unicodedata.normalize("NFC", text).translate(APOSTROPHES).replace("…", "...")
    plain = BETWEEN_WORDS.sub(" ", INVISIBLE.sub("", straight))
    return " ".join(TOKENS.findall(plain))


def check_overlap(sentences: Sequence[Sentence], duration: float) -> tuple[str, ...]:
    """Notes on sentences past the end of a film of `duration` seconds.

    Raises InputError if no sentence at all lies within the film: they are another film's.
    """
    if not sentences:
        return ()
    inside = sum(s.start < duration and s.end > 0 for s in sentences)
    if not inside:
        first, last = min(s.start for s in sentences), max(s.end for s in sentences)
        raise InputError(
            f"the subtitles run from {first:.1f} s to {last:.1f} s, but the film from 0 s to {duration:.1f} s: "
            "they belong to another film; give this film's own"
        )
    outside = len(sentences) - inside
    many = f"{outside} of {len(sentences)} subtitle sentences lie beyond the film's end at {duration:.1f} s"
    return (f"{many}; are they this film's?",) if outside else ()


def _read_text(path: Path) -> tuple[str, list[str]]:
    """The text with plain line ends, and a note if its encoding had to be guessed."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); check the path of the subtitles"
        ) from None
    encoding = _encoding(raw)
    text = raw.decode(encoding, "replace")
    control = sum(unicodedata.category(c) == "Cc" and c not in "\t\n\r\f" for c in text)
    if control > MOST_CONTROL_CHARACTERS * len(text):
        raise InputError(
            f"{path}: is no text, or in an unknown encoding; give subtitles as {', '.join(SUFFIXES)}, in UTF-8"
        )
    guessed = encoding in {"cp1252", "latin-1"}
    note = f"{path.name}: not UTF-8, read as {encoding}; if letters look wrong, save it as UTF-8"
    return re.sub(r"\r\n?", "\n", text), [note] if guessed else []


def _encoding(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if raw[1::2].count(0) > len(raw) / 5:
        return "utf-16-le"
    if raw[0::2].count(0) > len(raw) / 5:
        return "utf-16-be"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _parse(path: Path, text: str, notes: list[str]) -> list[_Cue]:
    """The cues of a file as it shows them; what it is, is told from its content first, then from its name."""
    if "[Events]" in text:
        kind = "ssa" if "[V4 Styles]" in text else "ass"
    else:
        named = path.suffix.lower() == ".vtt" and not SRT_STAMP.search(text)
        kind = "vtt" if text.startswith("WEBVTT") or named else "srt"
        text = re.sub(r"\n[ \t]+(?=\n)", "\n", text)
        text, negative = NEGATIVE_STAMP.subn(" 00:00:00.000", text)
        text = CUE_NAME.sub(NUMBER, BLOCK.sub("", text)) + "\n\n" + NUMBER
        text = VOICE.sub(r"\1 : ", text)
        if negative:
            notes.append(f"{path.name}: {negative} times before the film's beginning are cut at 0 s")
    try:
        with warnings.catch_warnings(action="ignore"):
            events = pysubs2.SSAFile.from_string(text, kind).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{path}: can't be read as subtitles ({error}); is it damaged?") from None
    spoken = [event for event in events if not event.is_comment]
    styled = kind in {"ass", "ssa"}
    return [_Cue(e.start / 1000, e.end / 1000, _shown(e.text) if styled else e.text) for e in spoken]


def _text_track(container: InputContainer) -> SubtitleStream | None:
    tracks = [
        t for t in container.streams.subtitles if t.codec_context and t.codec_context.name in TEXT_CODECS
    ]
    forced = av.stream.Disposition.forced
    return min(
        tracks, key=lambda t: (bool(t.disposition & forced), t.language not in {"eng", "en"}), default=None
    )


def _track_cues(container: InputContainer, track: SubtitleStream) -> Iterator[_Cue]:
    """The cues of a track, as far as the file can be read."""
    begin = (container.start_time or 0) / av.time_base
    assert track.codec_context is not None
    try:
        for packet in container.demux(track):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                start = float(packet.pts * packet.time_base) - begin
                length = float((packet.duration or 0) * packet.time_base)
                for markup in _packet_texts(packet, track.codec_context.name):
                    yield _Cue(start, start + length, markup)
    except av.error.FFmpegError:
        return


def _packet_texts(packet: Packet[SubtitleStream], codec: str) -> Iterator[str]:
    if codec == "webvtt":  # decoding it would lose who speaks
        yield VOICE.sub(r"\1 : ", bytes(packet).decode("utf-8", "replace"))
        return
    for dialogue in packet.decode():
        if isinstance(dialogue, av.subtitles.subtitle.AssSubtitle):
            yield _shown(dialogue.ass.decode("utf-8", "replace").split(",", 8)[-1])


def _shown(ass: str) -> str:
    """The text of an .ass dialogue, without drawings, comments and overrides."""
    return ASS_COMMENT.sub("", DRAWING.sub("", ass))


def _sentences(cues: Iterable[_Cue]) -> list[Sentence]:
    """Cues without markup, on one line, tokenised; those with no letter or figure are dropped."""
    plain = ((cue, html.unescape(TAG.sub("", LINE_BREAK.sub(" ", cue.markup)))) for cue in cues)
    tokenised = [Sentence(cue.start, cue.end, tokenise(text)) for cue, text in plain]
    return [s for s in tokenised if any(c.isalnum() for c in s.text)]


def _repaired(sentences: list[Sentence], notes: list[str], source: str) -> Subtitles:
    """Put times in order, and note what was done."""
    if any(a.start > b.start for a, b in pairwise(sentences)):
        notes.append(f"{source}: sentences were not in the order of time and are sorted by their start")
        sentences = sorted(sentences, key=lambda s: s.start)
    if early := sum(s.start < 0 for s in sentences):
        notes.append(f"{source}: {early} sentences that start before the film are cut at 0 s")
        sentences = [replace(s, start=max(s.start, 0.0)) for s in sentences]
    if backward := sum(s.end <= s.start for s in sentences):
        notes.append(
            f"{source}: {backward} sentences end before they start; they now end at the next one's start, "
            f"or after {REPAIRED_SECONDS:.0f} s"
        )
        sentences = _with_ends(sentences)
    if overlapping := sum(a.end > b.start for a, b in pairwise(sentences)):
        notes.append(f"{source}: {overlapping} sentences overlap with the next one; all are kept")
    return Subtitles(tuple(sentences), tuple(notes))


def _with_ends(sentences: list[Sentence]) -> list[Sentence]:
    """The same with every end after its start."""
    mended = []
    following = math.inf
    for this, after in zip(reversed(sentences), [None, *reversed(sentences)], strict=False):
        if after is not None and after.start > this.start:
            following = after.start
        end = this.end if this.end > this.start else min(following, this.start + REPAIRED_SECONDS)
        mended.append(replace(this, end=end))
    return mended[::-1]
