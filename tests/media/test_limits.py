"""Films, images and subtitles that are damaged, or made to fill memory or take forever: refused, or read in time."""

from __future__ import annotations

import random
import struct
import time
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from films import write_film
from stage.errors import InputError
from stage.media import decoding, limits
from stage.media.film import open_film
from stage.media.frame_folder import open_frames
from stage.media.limits import LONGEST_HOURS, MOST_PIXELS
from stage.media.substation import LONGEST_LINE, shown_text
from stage.media.subtitles import MOST_BYTES, read_subtitles, tokenise
from stage.media.video import open_video

CODECS = {
    ".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".ts": "libx264", ".flv": "libx264",
    ".avi": "mpeg4", ".webm": "libvpx", ".mpg": "mpeg1video",
}  # fmt: skip
MUTATIONS = 20
CHARACTERS, SECONDS = 80_000, 1.5
"""Of subtitles, and of the processor's time for them; quadratic patterns take 8 seconds."""
TIMES = "00:00:01,000 --> 00:00:02,000\n"
EVENT = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
UNITS = (
    "<a", "<v a", "<v ", "<v.a ", "<i a=", "<i.a", "<c.x", "</a", "</a><a", "<1:1", "-1:1.1 ", "1:1 ", "- ", "{",
    "{\\i1", "{\\p1", "{\\p1}", " ", "1", "1.", "a'", "n't", "&#1", "\\N", "a\n", "1\n\n", "\n", "NOTE x\n\n",
    "WEBVTT\n\n", "-->\n", f"\n{TIMES}", f"{TIMES}<x>a</x>\n\n",
    f"X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n{TIMES}",
)  # fmt: skip


def mutated(whole: bytes, seed: str) -> bytes:
    """A file of which some bytes were changed, removed or doubled."""
    draw, raw = random.Random(seed), bytearray(whole)
    for _ in range(draw.choice((1, 2, 4, 30))):
        place = draw.randrange(max(1, min(len(raw) - 4, draw.choice((800, len(whole))))))
        match draw.randrange(4):
            case 0:
                raw[place] = draw.randrange(256)
            case 1:
                raw[place : place + 4] = bytes([draw.choice((0, 127, 255))] * 4)
            case 2:
                del raw[place : place + draw.randrange(1, len(whole) // 10)]
            case 3:
                raw[place:place] = raw[place : place + draw.randrange(1, 200)]
    return bytes(raw)


@pytest.mark.parametrize("suffix", CODECS)
def test_a_damaged_film_is_read_or_refused(suffix: str, tmp_path: Path) -> None:
    times = [Fraction(i, 24) for i in range(48)]
    sound = suffix not in {".webm", ".mpg"}
    whole = write_film(tmp_path / f"film{suffix}", times, CODECS[suffix], sound=sound).read_bytes()
    path = tmp_path / f"mutated{suffix}"
    read = 0
    for number in range(MUTATIONS):
        path.write_bytes(mutated(whole, f"{suffix} {number}"))
        try:
            film = open_film(path)
            list(film.video.frames(film.video.model_frames()[-3:]))
        except InputError:
            continue
        else:
            read += 1
            assert film.video.duration <= LONGEST_HOURS * 3600
    assert read


def test_a_film_of_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.mp4", [0, 1])
    monkeypatch.setattr(decoding, "MOST_PIXELS", 1000)  # its frames, whatever its header says
    with pytest.raises(InputError, match=r"film\.mp4: (none of its frames|is not a readable film)"):
        open_video(film)
    monkeypatch.setattr(limits, "MOST_PIXELS", 1000)
    with pytest.raises(InputError, match=r"film\.mp4: its pictures have 160 x 48 pixels, and at most"):
        open_video(film)


def test_a_film_whose_time_stamps_announce_days_is_refused(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", [0, 1, 3600 * 30])
    with pytest.raises(
        InputError, match=f"is 30 hours long by its time stamps, .* at most {LONGEST_HOURS} hours"
    ):
        open_video(film)


def chunk(name: bytes, content: bytes, declared: int | None = None) -> bytes:
    length = len(content) if declared is None else declared
    return struct.pack(">I", length) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, extra: bytes = b"") -> bytes:
    """A PNG whose header declares a size, with hardly any content."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + extra
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9000, 9500, 32000, 2**31 - 1])
def test_an_image_of_too_many_pixels_is_refused_by_its_header(side: int, tmp_path: Path) -> None:
    (tmp_path / "00001.png").write_bytes(png(side, side))
    with pytest.raises(InputError, match=rf"00001.png: .*{MOST_PIXELS // 10**6} million"):
        open_frames(tmp_path)


def test_an_image_that_is_replaced_by_a_larger_one_is_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "00001.png")
    frames = open_frames(tmp_path)
    (tmp_path / "00001.png").write_bytes(png(32000, 32000))
    with pytest.raises(InputError, match="million pixels"):
        list(frames.frames([1]))


def test_a_chunk_that_declares_gigabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "00001.png").write_bytes(png(8, 8, chunk(b"teSt", b"", 0x6FFFFFFF)))
    with pytest.raises(InputError, match="not a readable image"):
        list(open_frames(tmp_path).frames([1]))


@pytest.mark.parametrize("name", ["00001.png", "00001.jpg", "00001.bmp", "00001.webp"])
def test_a_damaged_image_is_read_or_refused(name: str, tmp_path: Path) -> None:
    path, exif = tmp_path / name, PIL.Image.Exif()
    exif[0x0112], exif[0x8769] = 6, {0x9003: "2020"}
    pixels = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    PIL.Image.fromarray(pixels).save(path, **({} if name.endswith("bmp") else {"exif": exif}))
    whole = path.read_bytes()
    for number in range(100):
        path.write_bytes(mutated(whole, f"{name} {number}"))
        with suppress(InputError):
            list(open_frames(tmp_path).frames([1]))


def test_frame_numbers_without_bound_are_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{10**12}.png")
    with pytest.raises(InputError, match=f"hours long by its number, .* at most {LONGEST_HOURS} hours"):
        open_frames(tmp_path)


@pytest.mark.parametrize("unit", UNITS)
def test_subtitles_of_any_repeated_text_are_read_in_time(unit: str, tmp_path: Path) -> None:
    many = unit * (CHARACTERS // len(unit))
    texts = {
        "text.srt": f"1\n{TIMES}{many}\nhi\n",
        "text.vtt": f"WEBVTT\n\n{TIMES}{many}\nhi\n",
        "before.srt": f"{many}{TIMES}hi\n\n1\n{TIMES}hello\n",
        "after.srt": f"{TIMES.strip()}{many}\nhi\n\n1\n{TIMES}hello\n",
        "text.ass": f"{EVENT}{many[: LONGEST_LINE // 2]}hi\n",
        "lines.ass": f"{EVENT}hi\n{many}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
        begin = time.process_time()
        with suppress(InputError):  # some have no text
            read_subtitles(tmp_path / name)
        assert time.process_time() - begin < SECONDS, name
    begin = time.process_time()
    tokenise(many)
    assert time.process_time() - begin < SECONDS


def test_subtitles_beyond_the_limits_are_refused_or_dropped(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="has 21 MB, and at most 21 MB are read"):
        read_subtitles(path)
    path = tmp_path / "film.ass"
    path.write_text(f"{EVENT}{'m 0 ' * LONGEST_LINE}\n{EVENT.splitlines()[1]}hi\n")
    read = read_subtitles(path)
    assert [s.text for s in read.sentences] == ["hi"]
    assert f"film.ass, line 2: dialogue of more than {LONGEST_LINE:,} characters, dropped" in read.notes


def test_a_character_whose_number_is_too_long_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(f"1\n{TIMES}who &#{'9' * 5000}; is\n", "utf-8")
    assert read_subtitles(path).sentences[0].text.split()[0] == "who"


@pytest.mark.parametrize(
    ("ass", "shown"),
    [
        ("a{\\i1}b{note}c", "abc"),
        ("a{\\p1}m 0 0{\\p0}b", "ab"),
        ("a{\\p1}m 0 0{x}l 1 1", "a"),
        ("{\\p1}m{\\p0\\p2}n{\\p0}b{c", "b{c"),
        ("a{\\p1 b", "a{\\p1 b"),
        ("{\\p1}m{\\p0", ""),
        ("a}b{c}d", "a}bd"),
    ],
)
def test_drawings_and_comments_are_removed(ass: str, shown: str) -> None:
    assert shown_text(ass) == shown
