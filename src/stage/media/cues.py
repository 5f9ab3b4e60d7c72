"""The text of subtitle files (.srt, .vtt) to timed cues, each with its line in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

FRAME_RATES = (24, 25, 30, 50, 60)
"""Candidate rates for times that count frames (HH:MM:SS:FF): the lowest that is above every frame number is taken."""
TICKS = 90_000
"""Ticks per second of MPEG-2 presentation times, which X-TIMESTAMP-MAP gives."""
WRAP = 2**33
"""MPEG-2 presentation times restart at this many ticks."""
CONTIGUOUS_SECONDS = 0.1
"""A cue that begins at most this long after the one before still shows that one's lines."""
ROLLED_LINES = 20
"""Maximum number of lines that a cue of rolling captions repeats."""
SHOWN_LINES = 5
"""Maximum number of line numbers in a note."""

STAMP = (
    r"(?P<{0}sign>-\s*)?(?:(?P<{0}h>\d{{1,4}})\s*:\s*)?(?P<{0}m>\d{{1,4}})\s*:\s*(?P<{0}s>\d{{1,3}})"
    r"(?:\s*(?P<{0}mark>[.,:;])\s*(?P<{0}fraction>\d{{1,9}}))?"
)
START = re.compile(r"(?<![-\d:.,])" + STAMP.format("a_") + r"\s*$")
END = re.compile(r"\s*" + STAMP.format("b_") + r"(?![\d:])")
LENIENT_STAMP = r"\d+:\d+:\d+[.,]\d+"
LENIENT = re.compile(
    rf"\s*(?:\d+\s+)?({LENIENT_STAMP})\s{{0,9}}(?:[-–—]*\s{{0,9}}>+|→|,|[-–—]|\s)\s{{0,9}}({LENIENT_STAMP})(?=\s|$)"
)
"""Arrows other than "-->" are accepted only between complete times: "10:00 - 11:00" may be spoken."""
LIKE_TIMES = re.compile(r"^\s*-?\d.*-->|-->\s*-?\d+\s*[:.,]")
SETTING = re.compile(r"[A-Za-z][\w-]*:\S+$")
NUMBER = re.compile(r"\s*\d+\s*$")
COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
HEADER = re.compile(r"WEBVTT(?:\s|$)")
TIMESTAMP_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=")
VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^\s<>][^<>]*)>")
INLINE_TIME = re.compile(r"<(?:\d+:)?\d+:\d+[.,]\d+>")
ANY_TAG = re.compile(r"<[^<>]*>")
ASS_LINE_BREAK = re.compile(r"\n|\\[Nn]")


@dataclass(frozen=True, slots=True)
class Cue:
    """Text with markup that is shown from `start` to `end` (seconds)."""

    start: float
    end: float
    markup: str
    line: int | None = None
    """Line of its times in the file, counted from 1; None in a film's track."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was irregular in a file, and in which lines (counted from 1)."""

    lines: dict[str, list[int | None]] = field(default_factory=dict)

    def add(self, what: str, line: int | None) -> None:
        self.lines.setdefault(what, []).append(line)

    def notes(self, source: str) -> list[str]:
        """One message for each kind of finding, with its lines."""
        places = {what: [line for line in lines if line] for what, lines in self.lines.items()}
        return [
            f"{source}, {listed_lines(lines)}: {what}" if lines else f"{source}: {what}"
            for what, lines in places.items()
        ]


@dataclass(frozen=True, slots=True)
class _Stamp:
    milliseconds: int
    frames: int
    negative: bool


@dataclass(frozen=True, slots=True)
class _Times:
    start: _Stamp
    end: _Stamp
    outside: str
    """Text on the same line that is neither times, nor the cue's number, nor settings."""
    number: bool
    """Whether the cue's number precedes the times on the same line."""


def listed_lines(lines: Iterable[int]) -> str:
    """Line numbers for a message: "line 4", "lines 4, 7 and 9", "lines 1, 2, 3, 4, 5 and 12 more"."""
    each = sorted(set(lines))
    if len(each) == 1:
        return f"line {each[0]}"
    shown = [str(line) for line in each[:SHOWN_LINES]]
    last = f"{len(each) - SHOWN_LINES} more" if len(each) > SHOWN_LINES else shown.pop()
    return f"lines {', '.join(shown)} and {last}"


def parse_timed_text(text: str, webvtt: bool, findings: Findings) -> list[Cue]:
    """The cues of a .srt or .vtt file, in the order of the file; empty ones included.

    webvtt: whether NOTE, STYLE and REGION blocks are comments, and the names of cues may be words.
    """
    lines = [line.replace("\ufeff", "") for line in text.split("\n")]
    return _TimedText(lines, webvtt, findings).cues()


class _TimedText:
    """Reads the lines of a .srt or .vtt file from first to last."""

    def __init__(self, lines: list[str], webvtt: bool, findings: Findings) -> None:
        self.lines = lines
        self.webvtt = webvtt
        self.findings = findings
        self.times = {i: found for i, line in enumerate(lines) if (found := _times(line))}
        stamps = [stamp for t in self.times.values() for stamp in (t.start, t.end)]
        most = max((stamp.frames for stamp in stamps), default=-1)
        self.rate = next((rate for rate in FRAME_RATES if rate > most), 100)
        first = min(self.times, default=None)
        self.numbered = first is not None and (
            self.times[first].number or (first > 0 and bool(NUMBER.match(lines[first - 1])))
        )
        self.last_number = 0
        self.last_text = max((i for i, line in enumerate(lines) if line.strip()), default=-1)

    def cues(self) -> list[Cue]:
        cues: list[Cue] = []
        spoken: list[str] | None = None  # None until the first times, and after unreadable ones
        texts: list[list[str]] = []
        segments: list[tuple[int, int, float | None]] = []  # first cue, line of the header, offset
        reported = False  # whether the text that follows belongs to a cue already noted as dropped
        i = 0
        while i < len(self.lines):
            line, blank_before = self.lines[i], i == 0 or not self.lines[i - 1].strip()
            if (times := self.times.get(i)) is not None:
                cues.append(self._cue(times, i))
                spoken, reported = [], False
                texts.append(spoken)
            elif self._is_header(line, blank_before):
                if spoken is not None and not HEADER.match(line) and not TIMESTAMP_MAP.match(line):
                    spoken.append(line.rstrip().removesuffix("WEBVTT"))
                header = i + 1
                i, offset = self._after_header(i)
                segments.append((len(cues), header, offset))
                spoken = None
                continue
            elif self.webvtt and blank_before and COMMENT.match(line):
                i = self._after_comment(i)
                continue
            elif "-->" in line and LIKE_TIMES.search(line):
                self.findings.add("times can't be read, the cue is dropped", i + 1)
                spoken, reported = None, True
            elif not self._is_name(i, blank_before):
                if spoken is not None:
                    spoken.append(line)
                elif not reported and line.strip():
                    self.findings.add("text that belongs to no times, dropped", i + 1)
            i += 1
        full = [
            replace(cue, markup=VOICE.sub(r"\1 : ", _without_blank_ends(text)))
            for cue, text in zip(cues, texts, strict=True)
        ]
        return _joined(full, segments, self.findings)

    def _cue(self, times: _Times, i: int) -> Cue:
        if times.outside:
            self.findings.add("text on the line of the times, dropped", i + 1)
        if times.start.negative or times.end.negative:
            self.findings.add("time before the film's beginning, set to 0 s", i + 1)
        if times.start.frames >= 0 or times.end.frames >= 0:
            self.findings.add(
                f"times in frames, read at {self.rate} frames per second; if that is not the film's rate, "
                "give milliseconds",
                i + 1,
            )
        return Cue(self._seconds(times.start), self._seconds(times.end), "", i + 1)

    def _seconds(self, stamp: _Stamp) -> float:
        if stamp.negative:
            return 0.0
        return (stamp.milliseconds + round(1000 * max(stamp.frames, 0) / self.rate)) / 1000

    def _is_header(self, line: str, blank_before: bool) -> bool:
        """Joined files have more than one header; it may follow the last word of a part without a line end."""
        if not self.webvtt:
            return False
        return (
            (blank_before and bool(HEADER.match(line)))
            or line.rstrip().endswith("WEBVTT")
            or bool(TIMESTAMP_MAP.match(line))
        )

    def _after_header(self, i: int) -> tuple[int, float | None]:
        """The first line after a header, and the seconds that its X-TIMESTAMP-MAP adds to times; None without."""
        offset = None
        begin = i
        while i < len(self.lines) and i not in self.times and (i == begin or self.lines[i].strip()):
            if TIMESTAMP_MAP.match(self.lines[i]):
                offset = _mapped(self.lines[i])
                if offset is None:
                    self.findings.add("X-TIMESTAMP-MAP can't be read, ignored", i + 1)
            i += 1
        return i, offset

    def _after_comment(self, i: int) -> int:
        while i < len(self.lines) and self.lines[i].strip():
            if i in self.times:
                self.findings.add("cue within a comment, dropped", i + 1)
            i += 1
        return i

    def _is_name(self, i: int, blank_before: bool) -> bool:
        """Whether a line is the number or name of the cue that follows."""
        line = self.lines[i]
        if not line.strip():
            return False
        number = bool(NUMBER.match(line))
        if i + 1 in self.times or (number and i + 1 < len(self.lines) and "-->" in self.lines[i + 1]):
            if blank_before or (number and self.numbered):
                if number:
                    self.last_number = int(line.strip()[:9])
                elif not self.webvtt:
                    self.findings.add(
                        "text between a blank line and times, taken for the cue's name, dropped", i + 1
                    )
                return True
            return False
        orphan = (
            number
            and self.numbered
            and blank_before
            and i - 2 not in self.times
            and i == self.last_text
            and int(line.strip()[:9]) in {self.last_number + 1, len(self.times) + 1}
        )
        if orphan:
            self.findings.add("number of a cue without times, dropped; is the file complete?", i + 1)
        return orphan


def _times(line: str) -> _Times | None:
    """The times of a line if it is one that begins a cue."""
    before, arrow, after = line.partition("-->")
    if not arrow:
        lenient = LENIENT.match(line)
        if lenient is None:
            return None
        before, after = line[: lenient.end(1)], line[lenient.start(2) :]
    start, end = START.search(before), END.match(after)
    if start is None or end is None:
        return None
    prefix, rest = before[: start.start()].strip(), after[end.end() :].strip()
    number = bool(NUMBER.match(prefix))
    outside = ("" if number else prefix) + ("" if all(map(SETTING.match, rest.split())) else rest)
    return _Times(_stamp(start, "a_"), _stamp(end, "b_"), outside, number)


def _stamp(found: re.Match[str], name: str) -> _Stamp:
    hours, minutes, seconds = (int(found[name + part] or 0) for part in "hms")
    mark, fraction = found[name + "mark"], found[name + "fraction"] or ""
    # Three digits after a colon are milliseconds; fewer are frames, which only times with hours have.
    counts_frames = mark in {":", ";"} and len(fraction) < 3
    milliseconds = 0 if counts_frames else int(fraction[:3].ljust(3, "0"))
    whole = ((hours * 60 + minutes) * 60 + seconds) * 1000
    return _Stamp(whole + milliseconds, int(fraction) if counts_frames else -1, bool(found[name + "sign"]))


def _mapped(line: str) -> float | None:
    """The seconds that an X-TIMESTAMP-MAP adds to the times of its part."""
    ticks = re.search(r"MPEGTS:(\d{1,18})(?!\d)", line)
    local = re.search(r"LOCAL:([\d:.,]+)", line)
    begin = END.match(local[1]) if local else None
    if ticks is None or begin is None:
        return None
    return int(ticks[1]) / TICKS - _stamp(begin, "b_").milliseconds / 1000


def _without_blank_ends(text: Sequence[str]) -> str:
    """Lines that contain spaces stay: rolling captions show them as empty lines."""
    begin, end = 0, len(text)
    while begin < end and not text[begin]:
        begin += 1
    while end > begin and not text[end - 1]:
        end -= 1
    return "\n".join(text[begin:end])


def _joined(
    cues: list[Cue], segments: Sequence[tuple[int, int, float | None]], findings: Findings
) -> list[Cue]:
    """The cues of joined files on one timeline: that of the first part."""
    reference = next((offset for _, _, offset in segments if offset is not None), None)
    result: list[Cue] = []
    ends = [first for first, _, _ in segments[1:]] + [len(cues)]
    result += cues[: segments[0][0]] if segments else cues
    seen = {(c.start, c.end, c.markup) for c in result}
    for (first, header, offset), end in zip(segments, ends, strict=True) if segments else ():
        shift = 0.0
        if offset is not None and reference is not None:
            shift = (offset - reference + WRAP / TICKS / 2) % (WRAP / TICKS) - WRAP / TICKS / 2
        moved = [replace(c, start=_later(c.start, shift), end=_later(c.end, shift)) for c in cues[first:end]]
        if round(shift, 3) and moved:
            findings.add("times of a joined part moved to those of the first by its X-TIMESTAMP-MAP", header)
        new = [c for c in moved if (c.start, c.end, c.markup) not in seen]
        for cue in moved:
            if (cue.start, cue.end, cue.markup) in seen:
                findings.add("cue that a joined part repeats, dropped", cue.line)
        if new and result and new[0].start < result[-1].start:
            findings.add(
                "the times of a joined part begin again, kept as they are: its sentences may lie too early; "
                "join the films' subtitles with their offsets",
                header,
            )
        result += new
        seen.update((c.start, c.end, c.markup) for c in new)
    return result


def _later(time: float, shift: float) -> float:
    return round(time + shift, 3)


def without_repeats(cues: Sequence[Cue], findings: Findings) -> list[Cue]:
    """Rolling captions, where each cue shows the line before once more, with every line in its own cue alone.

    As YouTube writes them: a cue repeats the last line of the one before and adds a line with inline times; between
    two such cues stands one of 10 ms with the finished line. Files in which cues don't roll are returned as they are:
    a sentence may be said twice.
    """
    shown = [ASS_LINE_BREAK.split(cue.markup.rstrip()) for cue in cues]
    plain = [[ANY_TAG.sub("", line).strip() for line in lines] for lines in shown]
    repeated = [0]
    karaoke, rolling, texts = 0, 0, set()
    for i in range(1, len(cues)):
        new = next((k for k, line in enumerate(shown[i]) if INLINE_TIME.search(line)), len(shown[i]))
        count = min(new, len(plain[i - 1]), ROLLED_LINES)
        while count and plain[i][:count] != plain[i - 1][-count:]:
            count -= 1
        only_repeats = count == len(shown[i])
        if only_repeats and not -1 < cues[i].start - cues[i - 1].end <= CONTIGUOUS_SECONDS:
            count = 0
        if count and not only_repeats and any(plain[i][:count]):
            rolling += 1
            texts.add(tuple(plain[i][:count]))
            karaoke += new < len(shown[i])
        repeated.append(count)
    # Without inline times: a song may repeat a line, but hardly three different ones in a third of its cues.
    if not (karaoke or (len(texts) >= 3 and rolling >= len(cues) / 3)):
        return list(cues)
    result = []
    for cue, lines, words, count in zip(cues, shown, plain, repeated, strict=True):
        if any(words[:count]):
            findings.add("lines of the cue before shown again (rolling captions), each read once", cue.line)
        result.append(replace(cue, markup="\n".join(lines[count:])))
    return result
