"""Subtitle files become timed, clean, tokenised sentences, and repairs are noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from films import write_film, write_sound
from samples.places import SHARED
from stage.errors import InputError
from stage.media.subtitles import Subtitles, check_overlap, read_subtitles, subtitles_of, tokenise
from stage.media.tracks import open_container
from stage.types import Sentence

VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE
This is not spoken,
nor is this.

intro
00:01.000 --> 00:02.500 align:start position:10%
<v.loud Mia>Where&apos;s <c.yellow>the</c> <00:00:01.500>mug?</v>

second one
01:00:03.000 --> 01:00:04.000
- Fish &amp; chips!
NOTE that this is spoken.
"""
ASS_HEAD = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def dialogue(start: str, end: str, text: str, kind: str = "Dialogue") -> str:
    return f"{kind}: 0,{start},{end},Default,,0,0,0,,{text}\n"


ASS = ASS_HEAD + "".join(
    [
        dialogue("0:00:01.00", "0:00:02.00", r"{\i1}Hello{\i0}, there\Nyou"),
        dialogue("0:00:03.00", "0:00:04.00", r"{\p1}m 0 0 l 10 10{\p0}"),
        dialogue("0:00:05.00", "0:00:06.00", r"{\an8\p1}m 0 0{\p0}shown {a remark}too"),
        dialogue("0:00:07.00", "0:00:08.00", "not spoken", kind="Comment"),
    ]
)


def srt(*cues: tuple[str, str, str]) -> str:
    return "\n".join(f"{i}\n{start} --> {end}\n{text}\n" for i, (start, end, text) in enumerate(cues, 1))


def read(folder: Path, content: str | bytes, name: str = "lines.srt") -> Subtitles:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_subtitles(path)


def test_a_subrip_file_is_read(tmp_path: Path) -> None:
    content = srt(
        ("00:00:01,000", "00:00:02,500", "<i>I don't\nknow</i>, Mia. ♪"),
        ("00:00:03,000", "00:00:04,000", '{\\an8}<font color="#fff">LEO: Penny\u2019s here</font>'),
        ("00:00:05,000", "00:00:06,000", "<b> </b>"),
        ("00:00:07,000", "00:00:08,000", "♪♪"),
        ("00:00:09,000", "00:00:10,000", "42"),
    )
    found = read(tmp_path, content)
    assert found.sentences == (
        Sentence(1.0, 2.5, "I do n't know , Mia ."),
        Sentence(3.0, 4.0, "LEO : Penny 's here"),
        Sentence(9.0, 10.0, "42"),
    )
    assert found.notes == ()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_a_spoken_line_that_is_a_number_is_kept(tmp_path: Path, suffix: str, named: bool) -> None:
    point, head = (",", "") if suffix == ".srt" else (".", "WEBVTT\n\n")
    cues = [("Room\n2311", 1), ("42", 3), ("1984", 5)]
    content = head + "\n".join(
        (f"{i}\n" if named or (suffix == ".srt" and i == 1) else "")
        + f"00:00:0{start}{point}000 --> 00:00:0{start + 1}{point}000\n{text}\n"
        for i, (text, start) in enumerate(cues, 1)
    )
    found = read(tmp_path, content, f"lines{suffix}")
    assert [s.text for s in found.sentences] == ["Room 2311", "42", "1984"]


def test_a_webvtt_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, VTT, "lines.vtt").sentences == (
        Sentence(1.0, 2.5, "Mia : Where 's the mug ?"),
        Sentence(3603.0, 3604.0, "Fish & chips ! NOTE that this is spoken ."),
    )


def test_an_ass_file_is_read_without_drawings_and_comments(tmp_path: Path) -> None:
    assert read(tmp_path, ASS, "lines.ass").sentences == (
        Sentence(1.0, 2.0, "Hello , there you"),
        Sentence(5.0, 6.0, "shown too"),
    )


def test_the_format_is_recognised_by_content_not_name(tmp_path: Path) -> None:
    assert read(tmp_path, VTT, "lines.srt") == read(tmp_path, VTT, "lines.vtt")
    assert read(tmp_path, ASS, "lines.srt").sentences == read(tmp_path, ASS, "lines.ass").sentences


def test_subrip_in_a_webvtt_file_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, srt(("00:00:01,000", "00:00:02,000", "Hello")).encode(), "named.vtt")
    assert [s.text for s in found.sentences] == ["Hello"]


def test_real_subtitles_are_read() -> None:
    path = SHARED / "real" / "sintel_en.vtt"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    found = read_subtitles(path)
    assert len(found.sentences) == 14
    assert found.notes == ()
    assert found.sentences[0] == Sentence(0.0, 12.0, "Test : Test")
    assert found.sentences[3].text == "You 're a fool for traveling alone , so completely unprepared ."
    assert found.sentences[-1] == Sentence(118.25, 119.5, "We 're almost done . Shhh ...")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_unicode_needs_no_note(tmp_path: Path, encoding: str, line_end: str) -> None:
    content = srt(("00:00:01,000", "00:00:02,000", "Café\nfür Zoë"), ("00:00:03,000", "00:00:04,000", "Ja"))
    found = read(tmp_path, content.replace("\n", line_end).encode(encoding))
    assert [s.text for s in found.sentences] == ["Café für Zoë", "Ja"]
    assert found.notes == ()


@pytest.mark.parametrize(("encoding", "extra"), [("cp1252", b""), ("latin-1", b"\x81")])
def test_an_older_encoding_is_guessed_and_noted(tmp_path: Path, encoding: str, extra: bytes) -> None:
    content = srt(("00:00:01,000", "00:00:02,000", "Café")).encode("cp1252").rstrip() + b" " + extra
    found = read(tmp_path, content)
    assert found.sentences[0].words[0] == "Café"
    assert f"read as {encoding}" in found.notes[0]


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        (
            "cp1250",
            [
                "Dziękuję bardzo, proszę pana.",
                "Szukałem cię wszędzie.",
                "Żółta łódka, źle się czuję.",
                "Gdzie byłeś wczoraj?",
                "Muszę już iść, świątecznie.",
            ],
        ),
        ("cp1251", ["Где ты был вчера вечером?", "Я искал тебя повсюду.", "Пойдём домой, уже поздно."]),
        ("cp1253", ["Πού ήσουν χθες το βράδυ;", "Σε έψαχνα παντού.", "Πάμε σπίτι, είναι αργά."]),
        ("gb18030", ["早上好,莱纳德。", "他在房间里用新的电脑。", "昨天的电影非常有意思。"]),
    ],
)
def test_texts_in_other_scripts_are_read_in_an_encoding_that_is_named(
    tmp_path: Path, encoding: str, lines: list[str]
) -> None:
    text = "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{line}\n\n" for i, line in enumerate(lines))
    found = read(tmp_path, text.encode(encoding))
    assert [s.text for s in found.sentences] == [tokenise(line) for line in lines]
    assert f"read as {encoding}" in found.notes[0]


@pytest.mark.parametrize(
    "lines",
    [
        ["Où étais-tu hier soir ?", "C'était très drôle, à la fête.", "Ça va, mon garçon ?"],
        ["– Où ?", "– Là-bas…", "– Été ?", "– Déjà !", "– Très bien, à bientôt !"],
        ["Var är du?", "Jag har letat överallt.", "Åh, nej! Vi måste gå hem nu."],
        ["¿Dónde estabas anoche?", "¡Qué día más extraño!", "El niño comió después."],
        ["¶ La la la ¶", "“It’s not – it’s just…”", "Half is ½, and £5."],
    ],
)
@pytest.mark.parametrize("stray", [b"", b"\x81"])
def test_western_european_texts_are_not_taken_for_others(
    tmp_path: Path, lines: list[str], stray: bytes
) -> None:
    text = "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{line}\n\n" for i, line in enumerate(lines))
    found = read(tmp_path, text.encode("cp1252").rstrip() + stray)
    assert f"read as {'latin-1' if stray else 'cp1252'}" in found.notes[0]
    assert stray or [s.text for s in found.sentences] == [tokenise(line) for line in lines]


def test_overlapping_sentences_are_kept_and_noted(tmp_path: Path) -> None:
    found = read(
        tmp_path, srt(("00:00:01,000", "00:00:04,000", "One"), ("00:00:02,000", "00:00:03,000", "two"))
    )
    assert found.sentences == (Sentence(1, 4, "One"), Sentence(2, 3, "two"))
    assert "1 sentence overlapping the next one" in found.notes[0]


def test_an_end_before_its_start_is_repaired_and_noted(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        srt(
            ("00:00:05,000", "00:00:01,000", "one"),
            ("00:00:06,000", "00:00:06,000", "two"),
            ("00:00:06,000", "00:00:07,000", "three"),
            ("00:00:20,000", "00:00:19,000", "four"),
        ),
    )
    assert [(s.start, s.end) for s in found.sentences] == [(5, 6), (6, 8), (6, 7), (20, 22)]
    assert "3 sentences without an end after the start" in found.notes[0]


def test_times_before_the_film_are_cut_and_noted(tmp_path: Path) -> None:
    found = read(
        tmp_path, srt(("-00:00:01,500", "00:00:02,000", "one"), ("-00:00:03,000", "-00:00:01,000", "two"))
    )
    assert {s.start for s in found.sentences} == {0.0}
    assert all(s.end > 0 for s in found.sentences)
    assert "before the film's beginning" in found.notes[0]


def test_sentences_out_of_order_are_sorted_and_noted(tmp_path: Path) -> None:
    found = read(
        tmp_path, srt(("00:00:05,000", "00:00:06,000", "two"), ("00:00:01,000", "00:00:02,000", "one"))
    )
    assert [s.text for s in found.sentences] == ["one", "two"]
    assert "chronological order" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.srt", b""),
        ("tale.srt", b"Once upon a time there was no time stamp."),
        ("silent.srt", srt(("00:00:01,000", "00:00:02,000", "<i></i>")).encode()),
        ("head.vtt", b"WEBVTT\n\n"),
        ("head.ass", ASS_HEAD.encode()),
        ("noise.srt", np.random.default_rng(0).bytes(4000)),
        ("noise.ass", b"[Events]" + np.random.default_rng(0).bytes(4000)),
        ("zeros.vtt", bytes(2000)),
        ("lines.docx", b"PK"),
    ],
)
def test_files_without_subtitles_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=name) as refused:
        read(tmp_path, content, name)
    assert "\n" not in str(refused.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_subtitles(tmp_path / "missing.srt")
    with pytest.raises(InputError, match="is a folder"):
        read_subtitles(tmp_path)
    with pytest.raises(InputError, match=r"missing\.mp4"):
        subtitles_of(tmp_path / "missing.mp4")


def with_tracks(folder: Path, *tracks: tuple[str, str, int]) -> Path:
    """A film with subtitle tracks: (file name of each, language, disposition)."""
    film = write_film(folder / "pictures.mkv", [i / 24 for i in range(48)])
    path = folder / "film.mkv"
    with av.open(str(film)) as pictures, av.open(str(path), "w") as out:
        sources = [pictures.streams.video[0]]
        sources += [av.open(str(folder / name)).streams.subtitles[0] for name, _, _ in tracks]
        targets = [out.add_stream_from_template(source) for source in sources]
        for target, (_, language, disposition) in zip(targets[1:], tracks, strict=True):
            target.metadata["language"] = language
            target.disposition = av.stream.Disposition(disposition)
        for source, target in zip(sources, targets, strict=True):
            for packet in source.container.demux(source):
                if packet.size:
                    packet.stream = target
                    out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("lines.srt", srt(("00:00:01,000", "00:00:01,500", "<i>It's</i>\nMia")), "It 's Mia"),
        ("lines.vtt", "WEBVTT\n\n00:01.000 --> 00:01.500\n<v Leo>It's\nMia &amp; me", "Leo : It 's Mia & me"),
        (
            "lines.ass",
            ASS_HEAD + dialogue("0:00:01.00", "0:00:01.50", r"{\i1}It's{\i0}, yes\NMia"),
            "It 's , yes Mia",
        ),
    ],
)
def test_the_track_within_a_film_is_read(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    found = subtitles_of(with_tracks(tmp_path, (name, "eng", 0)))
    assert found == Subtitles((Sentence(1.0, 1.5, expected),))


def test_a_track_that_breaks_off_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cues = [(f"00:00:01,{i}00", f"00:00:01,{i}90", f"line {i}") for i in range(8)]
    (tmp_path / "lines.srt").write_text(srt(*cues))
    film = with_tracks(tmp_path, ("lines.srt", "eng", 0))

    class Failing:
        """A film on a disk that can't be read after five packets."""

        def __init__(self, path: Path) -> None:
            self.inner = open_container(path)
            self.streams, self.start_time = self.inner.streams, self.inner.start_time

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *error: object) -> None:
            self.inner.close()

        def demux(self, track: av.stream.Stream) -> Iterator[av.Packet]:
            yield from islice(self.inner.demux(track), 5)
            raise av.error.OSError(5, "Input/output error")

    monkeypatch.setattr("stage.media.subtitles.open_container", Failing)
    found = subtitles_of(film)
    assert found is not None
    assert [sentence.text for sentence in found.sentences] == [f"line {i}" for i in range(5)]
    assert found.notes == (
        "film.mkv, subtitle track: can't be read to its end (Input/output error); later sentences are missing",
    )


def test_the_english_track_is_read_unless_it_is_forced(tmp_path: Path) -> None:
    for language in ("deu", "eng", "forced"):
        (tmp_path / f"{language}.srt").write_text(srt(("00:00:01,000", "00:00:01,500", language)))
    forced = int(av.stream.Disposition.forced)
    tracks = [("forced.srt", "eng", forced), ("deu.srt", "deu", 0), ("eng.srt", "eng", 0)]
    for chosen, expected in ((tracks, "eng"), (tracks[:2], "deu"), (tracks[:1], "forced")):
        found = subtitles_of(with_tracks(tmp_path, *chosen))
        assert found is not None
        assert found.sentences[0].text == expected


def test_a_film_without_text_tracks_has_no_subtitles(tmp_path: Path) -> None:
    assert subtitles_of(write_film(tmp_path / "film.mp4", [0.0, 0.1])) is None
    assert subtitles_of(write_sound(tmp_path / "sound.mp4")) is None


def test_inline_times_are_not_the_times_of_a_cue(tmp_path: Path) -> None:
    content = "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Mia>Who<00:02.000> took<00:03.000> it ?\n"
    expected = Subtitles((Sentence(1.0, 4.0, "Mia : Who took it ?"),))
    assert read(tmp_path, content, "lines.vtt") == expected
    assert read(tmp_path, content + "\n\n", "lines.srt") == expected


ROLLING = """WEBVTT
Kind: captions

00:00:00.160 --> 00:00:02.470 align:start position:0%
 
hello<00:00:00.480><c> there</c><00:00:01.480><c> Leo</c>

00:00:02.470 --> 00:00:02.480 align:start position:0%
hello there Leo
 

00:00:02.480 --> 00:00:04.790 align:start position:0%
hello there Leo
how<00:00:02.800><c> are</c><00:00:03.000><c> you</c>

00:00:04.790 --> 00:00:04.800 align:start position:0%
how are you
 

00:00:04.800 --> 00:00:06.000 align:start position:0%
how are you
no

00:00:06.000 --> 00:00:06.010 align:start position:0%
no
 

00:00:06.010 --> 00:00:07.000 align:start position:0%
no
no

00:00:09.000 --> 00:00:10.000 align:start position:0%
no
"""
ROLLED = (
    Sentence(0.16, 2.47, "hello there Leo"),
    Sentence(2.48, 4.79, "how are you"),
    Sentence(4.8, 6.0, "no"),
    Sentence(6.01, 7.0, "no"),
    Sentence(9.0, 10.0, "no"),
)


def test_rolling_captions_come_once_at_their_time(tmp_path: Path) -> None:
    found = read(tmp_path, ROLLING, "lines.vtt")
    assert found.sentences == ROLLED
    assert len(found.notes) == 1
    assert "lines 8, 12, 16, 20, 24 and 1 more: lines of the cue before" in found.notes[0]


def test_rolling_captions_that_lost_their_inline_times_come_once(tmp_path: Path) -> None:
    blocks = re.sub(r"<[^>]*>| align:.*", "", ROLLING).replace(".", ",").split("\n\n")[1:]
    content = "\n\n".join(f"{i}\n{block}" for i, block in enumerate(blocks, 1))
    assert read(tmp_path, content).sentences == ROLLED


def test_rolling_captions_of_a_track_come_once(tmp_path: Path) -> None:
    (tmp_path / "lines.vtt").write_text(ROLLING.replace("00:00:09", "00:00:08"))
    found = subtitles_of(with_tracks(tmp_path, ("lines.vtt", "eng", 0)))
    assert found is not None
    assert [s.text for s in found.sentences] == [s.text for s in ROLLED]
    assert "rolling captions" in found.notes[0]


def test_sentences_that_are_said_twice_come_twice(tmp_path: Path) -> None:
    said = ["No.", "No.", "No.\nNo.", "No.\nNo.", "No.\nYes."]
    cues = [(f"00:00:0{i},000", f"00:00:0{i + 1},000", text) for i, text in enumerate(said)]
    assert [s.text for s in read(tmp_path, srt(*cues)).sentences] == [tokenise(text) for text in said]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("00:00:03 --> 00:00:04", (3.0, 4.0)),
        ("0:03 --> 0:04", (3.0, 4.0)),
        ("00:03.5 --> 00:04.25", (3.5, 4.25)),
        ("00:03,500 --> 00:04,250", (3.5, 4.25)),
        ("00:00:03,500-->00:00:04,250", (3.5, 4.25)),
        ("00:00:03:500 --> 00:00:04:250", (3.5, 4.25)),
        ("00:00:03,500 -> 00:00:04,250", (3.5, 4.25)),
        ("00: 00: 03, 500 --> 00: 00: 04, 250", (3.5, 4.25)),
        ("01:02:03,5 --> 01:02:04", (3723.5, 3724.0)),
    ],
)
def test_times_are_read_however_they_are_written(
    tmp_path: Path, suffix: str, times: str, expected: tuple[float, float]
) -> None:
    head = "WEBVTT\n\n" if suffix == ".vtt" else ""
    content = f"{head}1\n00:00:01 --> 00:00:02\nOne\n\n2\n{times}\nTwo\n"
    assert read(tmp_path, content, f"lines{suffix}") == Subtitles(
        (Sentence(1.0, 2.0, "One"), Sentence(*expected, "Two"))
    )


@pytest.mark.parametrize(
    ("times", "rate", "expected"),
    [
        ("00:00:01:12 --> 00:00:02:18", 24, (1.5, 2.75)),
        ("00:00:01:05 --> 00:00:02:24", 25, (1.2, 2.96)),
        ("00:00:01;15 --> 00:00:02;29", 30, (1.5, 2.967)),
        ("00:00:01:15 --> 00:00:02:59", 60, (1.25, 2.983)),
    ],
)
def test_times_in_frames_are_kept_and_noted(
    tmp_path: Path, times: str, rate: int, expected: tuple[float, float]
) -> None:
    found = read(tmp_path, f"1\n{times}\nOne\n")
    assert found.sentences == (Sentence(*expected, "One"),)
    assert f"line 2: times in frames, read at {rate} frames per second" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<Who is there?>", "Who is there ?"),
        ("<i think so>", "i think so"),
        ("3 < 4 and 5 > 2", "3 4 and 5 2"),
        ("a <b and c> d", "a b and c d"),
        ("<Sighs> <I>Oh</I> <font color=red>no</font>", "Sighs Oh no"),
        ("< i >Oh< / i > <blink rate=2>no</blink><br/>yes", "Oh noyes"),
        ("<c.yellow>Oh</c><00:00:01.500> <lang en>no</lang>", "Oh no"),
    ],
)
def test_only_markup_is_removed_from_angle_brackets(tmp_path: Path, text: str, expected: str) -> None:
    cue = srt(("00:00:01,000", "00:00:02,000", text))
    assert read(tmp_path, cue).sentences[0].text == expected
    (tmp_path / "lines.vtt").write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n")
    assert read_subtitles(tmp_path / "lines.vtt").sentences[0].text == expected
    assert read(tmp_path, ASS_HEAD + dialogue("0:00:01.00", "0:00:02.00", text), "lines.ass").sentences[
        0
    ].text == (expected)


def joined(*parts: tuple[str, str]) -> str:
    return "\n".join(f"WEBVTT\n{head}\n00:01.000 --> 00:02.000\n{text}\n" for head, text in parts)


def test_joined_parts_are_moved_by_their_timestamp_map(tmp_path: Path) -> None:
    first = 2**33 - 90_000 * 5  # the ticks restart within the second part
    heads = [
        f"X-TIMESTAMP-MAP=MPEGTS:{ticks % 2**33},LOCAL:00:00:00.000\n" for ticks in (first, first + 900_000)
    ]
    found = read(tmp_path, joined((heads[0], "One"), (heads[1], "Two")), "lines.vtt")
    assert found.sentences == (Sentence(1.0, 2.0, "One"), Sentence(11.0, 12.0, "Two"))
    assert found.notes == (
        "lines.vtt, line 7: times of a joined part moved to those of the first by its X-TIMESTAMP-MAP",
    )


def test_joined_parts_whose_map_is_the_same_keep_their_times(tmp_path: Path) -> None:
    head = "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n"
    content = joined((head, "One"), (head, "One")) + "\n00:03.000 --> 00:04.000\nTwo.WEBVTT\n" + head
    found = read(tmp_path, content + "\n00:05.000 --> 00:06.000\nThree", "lines.vtt")
    assert found.sentences == (Sentence(1, 2, "One"), Sentence(3, 4, "Two ."), Sentence(5, 6, "Three"))
    assert found.notes == ("lines.vtt, line 10: cue that a joined part repeats, dropped",)


def test_joined_parts_with_local_times_and_no_map_are_noted(tmp_path: Path) -> None:
    content = joined(("", "One")) + "\n00:05.000 --> 00:06.000\nTwo\n\n\ufeff" + joined(("", "Three"))
    found = read(tmp_path, content, "lines.vtt")
    assert [s.text for s in found.sentences] == ["One", "Three", "Two"]
    assert "lines.vtt, line 9: the times of a joined part begin again" in found.notes[0]


def test_whatever_is_dropped_is_noted_with_its_line(tmp_path: Path) -> None:
    content = (
        "intro\n\n1\n00:00:01,000 --> 00:00:02,000 Hello\nOne\n\n2\n00:00:xx,000 --> 00:00:04,000\nTwo\n\n"
        "3\n00:00:05,000 --> 00:00:06,000 X1:10 X2:20\nThree\n\nname\n00:00:07,000 --> 00:00:08,000\nFour\n\n4\n"
    )
    found = read(tmp_path, content)
    assert [s.text for s in found.sentences] == ["One", "Three", "Four"]
    assert [note.removeprefix("lines.srt, ").split(",")[0] for note in found.notes] == [
        "line 1: text that belongs to no times",
        "line 4: text on the line of the times",
        "line 8: times can't be read",
        "line 15: text between a blank line and times",
        "line 19: number of a cue without times",
    ]


def test_a_cue_within_a_comment_is_noted(tmp_path: Path) -> None:
    content = "WEBVTT\n\nNOTE\n00:01.000 --> 00:02.000\nOne\n\n00:03.000 --> 00:04.000\nTwo\n"
    found = read(tmp_path, content, "lines.vtt")
    assert found == Subtitles((Sentence(3, 4, "Two"),), ("lines.vtt, line 4: cue within a comment, dropped",))


def test_repaired_times_are_noted_with_their_lines(tmp_path: Path) -> None:
    cues = [("00:00:05,000", "00:00:04,000", "One"), ("00:00:02,000", "00:00:03,000", "Two")]
    found = read(tmp_path, srt(*cues))
    assert "lines.srt, line 6: sentences were not in chronological order" in found.notes[0]
    assert "lines.srt, line 2: 1 sentence without an end after the start" in found.notes[1]


def test_an_ass_file_is_read_in_the_order_of_its_own_fields(tmp_path: Path) -> None:
    content = (
        "[Events]\nFormat: Start, End, Name, Text\nDialogue: 0:00:01.00,0:00:02.00,Leo,Hi, you\n"
        "rest of it\nDialogue: now,0:00:02.00,Leo,Hi\n"
    )
    assert read(tmp_path, content, "lines.ass") == Subtitles(
        (Sentence(1, 2, "Hi , you"),),
        (
            "lines.ass, line 4: neither a dialogue nor a comment, dropped",
            "lines.ass, line 5: dialogue can't be read, dropped",
        ),
    )


def test_events_that_are_spoken_of_do_not_make_an_ass_file(tmp_path: Path) -> None:
    found = read(tmp_path, srt(("00:00:01,000", "00:00:02,000", "See [Events].")))
    assert found.sentences == (Sentence(1, 2, "See Events ."),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why didn't Penny's friend say \u201cI\u2019ll go\u201d?", "Why did n't Penny 's friend say I 'll go ?"),
        ("half a \ud83d sign \udc80 is none", "half a sign is none"),
        ("Can't we? We cannot, we won't.", "Ca n't we ? We can not , we wo n't ."),
        ("Dr. Cooper met Mr. O'Brian at 6:30, 3rd floor", "Dr . Cooper met Mr . O'Brian at 6 : 30 , 3rd floor"),
        ("a well-known T-shirt (blue) \u2014 for 1,000.50 $", "a well known T shirt blue for 1,000.50 $"),
        ("Wait\u2026 so... they're the girls' mugs!", "Wait ... so ... they 're the girls ' mugs !"),
        ("Cafe\u0301\u200b \u4f60\u597d", "Café 你好"),
        ("  \n ", ""),
    ],
)  # fmt: skip
def test_text_is_tokenised_as_in_the_data_set(text: str, expected: str) -> None:
    assert tokenise(text) == expected
    assert tokenise(expected) == expected


def test_sentences_of_another_film_are_refused() -> None:
    with pytest.raises(InputError, match=r"100\.0 s to 205\.0 s.* 0 s to 60\.0 s"):
        check_overlap([Sentence(100, 105, "a"), Sentence(200, 205, "b")], 60.0)


def test_sentences_past_the_end_are_noted() -> None:
    inside, outside = Sentence(1, 2, "a"), Sentence(61, 62, "b")
    assert check_overlap([inside], 60.0) == ()
    assert check_overlap([], 60.0) == ()
    assert "1 of 2 subtitle sentences" in check_overlap([inside, outside], 60.0)[0]
