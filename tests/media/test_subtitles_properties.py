"""Properties of subtitle files: cues are read back as written, and any text at all is read or refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stage.errors import InputError
from stage.media.subtitles import SUFFIXES, read_subtitles, tokenise
from stage.types import Sentence

FEW = settings(max_examples=60, deadline=None, derandomize=True, database=None)

WORDS = st.text("abcXYZéßЖ漢0123456789'-?!,.:", min_size=1, max_size=8).filter(
    lambda w: any(map(str.isalnum, w))
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3)
FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            "WEBVTT\n", "\n", "\n\n", "1\n", "-->", " --> ", "00:00:01,000 --> 00:00:02,000\n", "[Events]\n",
            "00:02.000 --> 00:01.000\n", "<00:02.000>", "<c>", "</c>", "<v Mia>", "<Who is there>",
            "X-TIMESTAMP-MAP=MPEGTS:9,LOCAL:00:01\n",
            "Format: Start, End, Text\n", "Dialogue: 0,0:00:01.00,0:00:02.00,A,,0,0,0,,Hi\n", "Dialogue: ", "Style: ",
            "NOTE", "99:99:99:99", "-00:00:01", "word", "9" * 40, "{\\p1}", "&#x110000;", "\ufeff", "\x85", "\u2028",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
FILES = st.lists(FRAGMENTS, max_size=25).map("".join)


@st.composite
def timed_texts(draw: st.DrawFn) -> list[tuple[int, int, list[str]]]:
    """Cues in chronological order, which may touch but don't overlap: start and end (ms), lines."""
    times = draw(st.lists(st.integers(1, 40_000), min_size=2, max_size=12).filter(lambda t: len(t) % 2 == 0))
    stamps = [sum(times[: i + 1]) for i in range(len(times))]
    return [(start, end, draw(TEXTS)) for start, end in zip(stamps[::2], stamps[1::2], strict=True)]


def stamp(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def written(cues: list[tuple[int, int, list[str]]], suffix: str, numbered: bool) -> str:
    point = "," if suffix == ".srt" else "."
    head = "" if suffix == ".srt" else "WEBVTT\n\n"
    return head + "\n".join(
        (f"{i}\n" if numbered else "")
        + f"{stamp(a, point)} --> {stamp(b, point)}\n"
        + "\n".join(lines)
        + "\n"
        for i, (a, b, lines) in enumerate(cues, 1)
    )


def read_bytes(content: bytes, suffix: str) -> tuple[Sentence, ...]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"lines{suffix}"
        path.write_bytes(content)
        return read_subtitles(path).sentences


def read_or_refused(content: bytes, suffix: str) -> tuple[Sentence, ...]:
    """The sentences; empty if the file is refused in one line."""
    try:
        return read_bytes(content, suffix)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    return ()


@FEW
@given(timed_texts(), st.sampled_from([".srt", ".vtt"]), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_cues_are_read_back_with_text_and_times(
    cues: list[tuple[int, int, list[str]]], suffix: str, numbered: bool, line_end: str
) -> None:
    # Cues that begin with a line of the one before again and again are rolling captions.
    assume(sum(b[2][0] in a[2] for a, b in pairwise(cues)) < 3)
    expected = tuple(Sentence(a / 1000, b / 1000, tokenise(" ".join(lines))) for a, b, lines in cues)
    assert read_bytes(written(cues, suffix, numbered).replace("\n", line_end).encode(), suffix) == expected


@FEW
@given(timed_texts(), st.sampled_from([".ass", ".ssa"]), st.sampled_from(["\n", "\r\n"]))
def test_dialogue_of_substation_files_is_read_back(
    cues: list[tuple[int, int, list[str]]], suffix: str, line_end: str
) -> None:
    assume(sum(b[2][0] in a[2] for a, b in pairwise(cues)) < 3)
    # Times are in hundredths of a second.
    cues = [(a // 10, b // 10, lines) for a, b, lines in cues if a // 10 < b // 10]
    assume(cues and all(a[1] <= b[0] for a, b in pairwise(cues)))
    times = [
        [f"{t // 360000}:{t // 6000 % 60:02d}:{t // 100 % 60:02d}.{t % 100:02d}" for t in cue[:2]]
        for cue in cues
    ]
    line_break = r"\N"
    content = "[Events]\nFormat: Layer, Start, End, Style, Text\n" + "".join(
        f"Dialogue: 0,{start},{end},Default,{line_break.join(lines)}\n"
        for (start, end), (_, _, lines) in zip(times, cues, strict=True)
    )
    expected = tuple(Sentence(a / 100, b / 100, tokenise(" ".join(lines))) for a, b, lines in cues)
    assert read_bytes(content.replace("\n", line_end).encode(), suffix) == expected


@FEW
@given(timed_texts(), st.sampled_from([".srt", ".vtt"]))
def test_inline_times_change_nothing(cues: list[tuple[int, int, list[str]]], suffix: str) -> None:
    # A line that the cue before has shown would make them rolling captions.
    cues = [(a, b, [f"line {i} {line}" for line in lines]) for i, (a, b, lines) in enumerate(cues)]
    karaoke = [(a, b, [line.replace(" ", "<00:00:01.000> ") for line in lines]) for a, b, lines in cues]
    plain, timed = (written(each, suffix, numbered=suffix == ".srt").encode() for each in (cues, karaoke))
    assert read_bytes(timed, suffix) == read_bytes(plain, suffix)


@settings(FEW, max_examples=200)
@given(FILES, st.sampled_from(SUFFIXES))
def test_any_text_is_read_in_order_or_refused(text: str, suffix: str) -> None:
    sentences = read_or_refused(text.encode("utf-8", "surrogatepass"), suffix)
    assert all(0 <= s.start < s.end for s in sentences)
    assert all(a.start <= b.start for a, b in pairwise(sentences))


@FEW
@given(st.binary(max_size=300), st.sampled_from(SUFFIXES))
def test_any_bytes_are_read_or_refused(content: bytes, suffix: str) -> None:
    read_or_refused(content, suffix)
