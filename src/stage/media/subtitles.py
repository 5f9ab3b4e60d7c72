"""Subtitle files and tracks (.srt, .vtt, .ass) to timed sentences, repaired."""

from __future__ import annotations

import codecs
import html
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import av
import charset_normalizer
from av.container import InputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

from stage.errors import InputError
from stage.media.cues import (
    VOICE,
    Cue,
    Findings,
    listed_lines,
    parse_timed_text,
    without_repeats,
)
from stage.media.limits import check_bytes
from stage.media.substation import parse_substation, shown_text
from stage.media.tracks import open_container, packets_of
from stage.types import Sentence
from stage.wording import counted

REPAIRED_SECONDS = 2.0
"""Maximum duration of a sentence whose end was not after its start."""
MOST_BYTES = 20 << 20
"""Of a subtitle file; those of a film of two hours have 0.1 MB, with the effects of karaoke some MB."""
SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
TEXT_CODECS = {"srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text"}
MOST_CONTROL_CHARACTERS = 0.05
"""As a share of all characters; a file with more is not text."""
LEGACY_ENCODINGS = (
    "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949",
)  # fmt: skip
"""Other encodings of subtitle files than Unicode and Western European."""
MOST_MESS = 1.0
"""On charset-normalizer's scale. Western European samples stay below, samples in other scripts don't; its default of
0.2 also rejects French that is rich in dashes."""

PLAIN_TAGS = "i|b|u|s|c|v|lang|ruby|rt|font|span|br|p|em|strong|strike|small|big|sub|sup|tt|center|div"
TAG = re.compile(
    rf"<\s*/?\s*(?:{PLAIN_TAGS})(?:\.[^\s<>]*)?(?:\s+[\w-]+\s*=[^<>]*)?\s*/?>"
    r"|<(?:v|lang)(?:\.[^\s<>]*)?\s[^<>]*>|<(?:\d+:)?\d+:\d+(?:[.,]\d+)?>|[♩♪♫♬]",
    re.IGNORECASE,
)
"""Markup. Other text in angle brackets may be spoken: "<Who is there?>". No pattern reads on past the next "<": a
file of nothing else would take minutes."""
OVERRIDE = re.compile(r"\{\\[^}]*\}?")
"""A .ass override tag in another format; text if it isn't closed."""
NAMED_TAG = re.compile(r"</?([a-z][\w-]*)(?:[\s.][^<>]*)?>", re.IGNORECASE)
CLOSING_TAG = re.compile(r"</([a-z][\w-]*)\s*>", re.IGNORECASE)
LINE_BREAK = re.compile(r"\\[Nnh]|\s+")

EVENTS = re.compile(r"^[^\S\n]*\[Events\]", re.MULTILINE)
IMPOSSIBLE_CHARACTER = re.compile(r"&#\d{8,}")
"""A number that no character has, and that may be too long for Python."""

APOSTROPHES = str.maketrans("’‘ʼ`´", "'''''")
INVISIBLE = re.compile("[\ud800-\udfff\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
BETWEEN_WORDS = re.compile(r"""["“”„«»()\[\]{}<>*_~^|\\/‐‑‒–—―-]""")
# As in the Penn Treebank: numbers; contractions and the words that they are attached to; words; dots; other signs.
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
    """The subtitles of a film."""

    sentences: tuple[Sentence, ...]
    """Sorted by start; at least one."""
    notes: tuple[str, ...] = ()
    """Messages to the user about what was irregular and how it was repaired."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A tokenised sentence and the line of its times in the file; None in a film's track."""

    start: float
    end: float
    text: str
    line: int | None


def read_subtitles(path: Path) -> Subtitles:
    """Read a .srt, .vtt, .ass or .ssa file. Raises InputError if it contains no readable subtitles."""
    if path.is_dir() or not path.exists():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {reason}; check the path of the subtitles")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: subtitles are read from {', '.join(SUFFIXES)} files; convert it to one of them"
        )
    text, notes = _read_text(path)
    findings = Findings()
    cues = without_repeats(_parse(path, text, findings), findings)
    sentences = _sentences(cues)
    if not sentences:
        raise InputError(
            f"{path}: contains no readable subtitles; check that it is the right file, and complete"
        )
    return _repaired(sentences, notes + findings.notes(path.name), path.name)


def subtitles_of(path: Path) -> Subtitles | None:
    """The text subtitle track of a film file; None if it has none or an empty one.

    Of several tracks, complete ones are preferred to forced subtitles, then English ones, then the first. Raises
    InputError if the file can't be read.
    """
    findings = Findings()
    try:
        with open_container(path) as container:
            track = _text_track(container)
            cues = [] if track is None else list(_track_cues(container, track, findings))
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check the path of the film") from None
    sentences = _sentences(without_repeats(cues, findings))
    source = f"{path.name}, subtitle track"
    return _repaired(sentences, findings.notes(source), source) if sentences else None


def tokenise(text: str) -> str:
    """Words and punctuation marks separated by spaces as in TVQA+: "do n't", "Penny 's", "Dr . Cooper".

    Apostrophes become straight; quotation marks, brackets and dashes are removed. Tokenising twice gives the same as
    tokenising once.
    """
    straight = unicodedata.normalize("NFC", text).translate(APOSTROPHES).replace("…", "...")
    plain = BETWEEN_WORDS.sub(" ", INVISIBLE.sub("", straight))
    return " ".join(TOKENS.findall(plain))


def check_overlap(sentences: Sequence[Sentence], duration: float) -> tuple[str, ...]:
    """Notes on sentences beyond the end of a film of `duration` seconds.

    Raises InputError if no sentence lies within the film, since the subtitles must then be of another film.
    """
    if not sentences:
        return ()
    inside = sum(s.start < duration and s.end > 0 for s in sentences)
    if not inside:
        first, last = min(s.start for s in sentences), max(s.end for s in sentences)
        raise InputError(
            f"the subtitles run from {first:.1f} s to {last:.1f} s, but the film from 0 s to {duration:.1f} s: "
            "they belong to another film; give those of this film"
        )
    outside = len(sentences) - inside
    share = f"{outside} of {counted(len(sentences), 'subtitle sentence')}"
    beyond = f"{share} lie beyond the film's end at {duration:.1f} s; are they of this film?"
    return (beyond,) if outside else ()


def _read_text(path: Path) -> tuple[str, list[str]]:
    """The text with line ends as newlines, and a note if its encoding had to be guessed."""
    try:
        check_bytes(path, MOST_BYTES)
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
            f"{path}: is not text, or in an unknown encoding; give subtitles as {', '.join(SUFFIXES)}, in UTF-8"
        )
    guessed = not encoding.startswith("utf")
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
    return "utf-8-sig" if _is_valid(raw, "utf-8") else _legacy_encoding(raw)


def _legacy_encoding(raw: bytes) -> str:
    """Western European unless charset-normalizer finds the text read as that a mess; otherwise its best guess.

    Its best guess alone would take French or Swedish for Central European, which has most of the same letters.
    """
    western = "cp1252" if _is_valid(raw, "cp1252") else "latin-1"
    known = raw.decode("cp1252", "ignore").encode("cp1252")  # stray bytes must not decide
    if charset_normalizer.from_bytes(known, cp_isolation=["cp1252"], threshold=MOST_MESS).best():
        return western
    guess = charset_normalizer.from_bytes(raw, cp_isolation=[*LEGACY_ENCODINGS]).best()
    return guess.encoding if guess else western


def _is_valid(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _parse(path: Path, text: str, findings: Findings) -> list[Cue]:
    """The cues of a file. Its format is determined by its content first, then by its name."""
    if EVENTS.search(text):
        return parse_substation(text, findings)
    webvtt = path.suffix.lower() == ".vtt" or text.lstrip().startswith("WEBVTT")
    return parse_timed_text(text, webvtt, findings)


def _text_track(container: InputContainer) -> SubtitleStream | None:
    tracks = [
        t for t in container.streams.subtitles if t.codec_context and t.codec_context.name in TEXT_CODECS
    ]
    forced = av.stream.Disposition.forced
    return min(
        tracks, key=lambda t: (bool(t.disposition & forced), t.language not in {"eng", "en"}), default=None
    )


def _track_cues(container: InputContainer, track: SubtitleStream, findings: Findings) -> Iterator[Cue]:
    """The cues of a track, up to where the file can't be read any more."""
    begin = (container.start_time or 0) / av.time_base
    assert track.codec_context is not None
    try:
        for packet in packets_of(container, track):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                start = float(packet.pts * packet.time_base) - begin
                length = float((packet.duration or 0) * packet.time_base)
                for markup in _packet_texts(packet, track.codec_context.name):
                    yield Cue(start, start + length, markup)
    except av.error.FFmpegError as error:
        findings.add(f"can't be read to its end ({error.strerror}); later sentences are missing", None)


def _packet_texts(packet: Packet[SubtitleStream], codec: str) -> Iterator[str]:
    if codec == "webvtt":  # decoding would lose the speakers
        yield VOICE.sub(r"\1 : ", bytes(packet).decode("utf-8", "replace"))
        return
    for dialogue in packet.decode():
        if isinstance(dialogue, av.subtitles.subtitle.AssSubtitle):
            yield shown_text(dialogue.ass.decode("utf-8", "replace").split(",", 8)[-1])


def _sentences(cues: Iterable[Cue]) -> list[_Spoken]:
    """Cues without markup, on one line, tokenised; those without a letter or digit are dropped."""
    tokenised = [_Spoken(cue.start, cue.end, tokenise(_plain(cue.markup)), cue.line) for cue in cues]
    return [s for s in tokenised if any(c.isalnum() for c in s.text)]


def _plain(markup: str) -> str:
    """Text without tags. A tag of an unknown name is one if it is closed in the same cue."""
    known = set(PLAIN_TAGS.split("|"))
    names = {name.lower() for name in CLOSING_TAG.findall(markup)} - known
    if names:
        markup = NAMED_TAG.sub(lambda tag: "" if tag[1].lower() in names else tag[0], markup)
    plain = OVERRIDE.sub(lambda tag: "" if tag[0].endswith("}") else tag[0], LINE_BREAK.sub(" ", markup))
    return html.unescape(IMPOSSIBLE_CHARACTER.sub("\ufffd", TAG.sub("", plain)))


def _repaired(spoken: list[_Spoken], notes: list[str], source: str) -> Subtitles:
    """Sort the sentences and repair their times; note what was done, and in which lines of the file."""
    if late := [b for a, b in pairwise(spoken) if a.start > b.start]:
        notes.append(_note(source, late, "sentences were not in chronological order, sorted by their start"))
        spoken = sorted(spoken, key=lambda s: s.start)
    if early := [s for s in spoken if s.start < 0]:
        count = counted(len(early), "sentence")
        notes.append(_note(source, early, f"{count} before the film's beginning, start set to 0 s"))
        spoken = [replace(s, start=max(s.start, 0.0)) for s in spoken]
    if backward := [s for s in spoken if s.end <= s.start]:
        what = (
            f"{counted(len(backward), 'sentence')} without an end after the start, extended to the start of the "
            f"next one, or by {REPAIRED_SECONDS:.0f} s"
        )
        notes.append(_note(source, backward, what))
        spoken = _with_ends(spoken)
    if overlapping := [a for a, b in pairwise(spoken) if a.end > b.start]:
        count = counted(len(overlapping), "sentence")
        notes.append(_note(source, overlapping, f"{count} overlapping the next one, all kept"))
    return Subtitles(tuple(Sentence(s.start, s.end, s.text) for s in spoken), tuple(notes))


def _note(source: str, spoken: Sequence[_Spoken], what: str) -> str:
    lines = [s.line for s in spoken if s.line is not None]
    return f"{source}, {listed_lines(lines)}: {what}" if lines else f"{source}: {what}"


def _with_ends(spoken: list[_Spoken]) -> list[_Spoken]:
    """The same sentences, each with its end after its start."""
    repaired = []
    following = math.inf
    for this, after in zip(reversed(spoken), [None, *reversed(spoken)], strict=False):
        if after is not None and after.start > this.start:
            following = after.start
        end = this.end if this.end > this.start else min(following, this.start + REPAIRED_SECONDS)
        repaired.append(replace(this, end=end))
    return repaired[::-1]
