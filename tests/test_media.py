"""Films and subtitles are read as they are, or the person is told why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from golden import SHARED
from stage.errors import InputError
from stage.media.subtitles import check_overlap, read_subtitles, subtitles_of, tokenise
from stage.media.video import fingerprint, open_video
from stage.types import Sentence

SIDE = 64


def write_film(
    path: Path, times: Iterable[float], codec: str = "libx264", options: dict[str, str] | None = None
) -> Path:
    """Pictures at the given seconds; the brightness of picture n is 10 + 6 n."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=12)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.options = options or {}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 600)
        for n, time in enumerate(times):
            picture = np.full((SIDE, SIDE, 3), 10 + 6 * (n % 40), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 600), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path, numbers: Iterable[int]) -> list[int]:
    """Which picture is shown at each numbered frame, by its brightness."""
    frames = dict(open_video(path).frames(list(numbers)))
    return [round((float(picture.mean()) - 10) / 6) for picture in frames.values()]


FILMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264 with B-frames": ("f.mp4", "libx264", {"bf": "3", "g": "12"}),
    "mpeg4": ("f.avi", "mpeg4", {"b": "4000000", "bf": "0"}),
    "vp9": ("f.webm", "libvpx-vp9", {"crf": "10", "b": "0"}),
}


@pytest.mark.parametrize("kind", FILMS)
def test_frame_k_is_what_is_shown_at_a_third_of_k_seconds(kind: str, tmp_path: Path) -> None:
    name, codec, options = FILMS[kind]
    film = write_film(tmp_path / name, [n / 6 for n in range(36)], codec, options)
    video = open_video(film)
    assert video.frame_count in (17, 18)  # not every container says how long its last picture is shown
    assert video.model_frames() == (1, 7, 13)
    assert shown(film, range(1, 18)) == [2 * k for k in range(1, 18)]
    assert shown(film, [7, 13]) == [14, 26]


def test_pictures_of_uneven_length_stay_until_the_next(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mkv", [0, 0.1, 0.2, 1.5, 3.0, 3.1, 4.0])
    assert shown(film, [1, 4, 5, 8, 10, 11]) == [2, 2, 3, 3, 5, 5]


def test_a_film_whose_clock_does_not_start_at_zero_is_counted_from_its_first_picture(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mkv", [5 + n / 6 for n in range(24)])
    video = open_video(film)
    assert video.start == pytest.approx(5.0, abs=0.01)
    assert shown(film, [1, 3, 9]) == [2, 6, 18]


def test_far_frames_are_sought_and_are_the_same(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mp4", [n / 6 for n in range(6 * 60)], options={"g": "48"})
    near = dict(open_video(film).frames(range(1, 178)))
    far = dict(open_video(film).frames([4, 60, 170]))
    assert list(far) == [4, 60, 170]
    for number, picture in far.items():
        assert np.array_equal(picture, near[number])


def test_large_pictures_can_be_scaled_down(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mp4", [0, 1, 2])
    video = open_video(film)
    assert [p.shape for _, p in video.frames([1, 2], longest_side=32)] == [(32, 32, 3)] * 2
    assert (video.width, video.height) == (SIDE, SIDE)


def test_a_film_that_breaks_off_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.ts", [n / 6 for n in range(120)], options={"g": "6", "bf": "0"})
    broken = tmp_path / "broken.ts"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    frames = dict(open_video(broken).frames(open_video(whole).model_frames()))
    assert 3 <= len(frames) < len(open_video(whole).model_frames())


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def nothing(path: Path) -> Path:
    path.touch()
    return path


def noise(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 40)
    return path


UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda path: path, "no such file"),
    "folder": (lambda path: path.parent, "is a folder"),
    "empty": (nothing, "is empty"),
    "noise": (noise, "not a film"),
    "sound": (write_sound, "no picture track"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_film_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    make, reason = UNREADABLE[kind]
    with pytest.raises(InputError, match=reason) as error:
        open_video(make(tmp_path / "f.mp4"))
    assert "\n" not in str(error.value)


def test_a_fingerprint_follows_the_content(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x" * 5_000_000)
    b.write_bytes(a.read_bytes())
    assert fingerprint(a) == fingerprint(b)
    b.write_bytes(b"x" * 4_999_999 + b"y")
    assert fingerprint(a) != fingerprint(b)


SRT = """2
00:00:04,000 --> 00:00:06,000
<i>I don't know ,</i>
said Leo.

1
00:00:01,000 --> 00:00:00,500
Mia : Hello&nbsp;there!

3
00:00:05,500 --> 00:00:07,000
♪ ♪
"""


def subtitles(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_subtitles_are_cleaned_ordered_and_repairs_are_told(tmp_path: Path) -> None:
    found = read_subtitles(subtitles(tmp_path, "s.srt", SRT))
    assert [(s.start, s.end, s.text) for s in found.sentences] == [
        (1.0, 3.0, "Mia : Hello there !"),
        (4.0, 6.0, "I do n't know , said Leo ."),
    ]
    assert any("sorted" in note for note in found.notes) or found.sentences[0].start < found.sentences[1].start
    assert any("end before they start" in note for note in found.notes)


def test_voices_of_webvtt_become_speakers_and_notes_are_no_speech(tmp_path: Path) -> None:
    text = "WEBVTT\n\nNOTE this is\na remark\n\n1\n00:01.000 --> 00:02.000 align:start\n<v Roger Bingham>We are <b>in</b>\nNew York\n"
    found = read_subtitles(subtitles(tmp_path, "s.vtt", text))
    assert [s.text for s in found.sentences] == ["Roger Bingham : We are in New York"]


def test_ass_markup_and_drawings_are_no_speech(tmp_path: Path) -> None:
    head = "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    lines = (
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Hi{\\i0}\\Nthere\n"
        "Dialogue: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}\n"
    )
    found = read_subtitles(subtitles(tmp_path, "s.ass", head + lines))
    assert [s.text for s in found.sentences] == ["Hi there"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_odd_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nCafé – naïve\n"
    found = read_subtitles(subtitles(tmp_path, "s.srt", text.encode(encoding)))
    assert found.sentences[0].text == "Café – naïve"
    assert bool(found.notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("s.srt", "", "no readable subtitles"),
        ("s.srt", bytes(100), "not a text file"),
        ("s.txt", "hello", "are read from"),
        ("s.ass", "not ass at all", "s.ass"),
    ],
)
def test_what_is_no_subtitles_is_refused(name: str, content: str | bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        read_subtitles(subtitles(tmp_path, name, content))


def test_subtitles_of_another_film_are_refused() -> None:
    late = (Sentence(100.0, 101.0, "late"),)
    with pytest.raises(InputError, match="another film"):
        check_overlap(late, 60.0)
    assert check_overlap((Sentence(1.0, 2.0, "in time"), *late), 60.0) != ()
    assert check_overlap((Sentence(1.0, 2.0, "in time"),), 60.0) == ()


def test_words_are_separated_as_in_tvqa() -> None:
    said = "I don’t know what he's doing, Dr. Cooper... It's 3.14 o'clock! We can't-"
    assert tokenise(said) == "I do n't know what he 's doing , Dr. Cooper ... It 's 3.14 o'clock ! We ca n't -"
    assert tokenise(tokenise(said)) == tokenise(said)


def test_a_films_own_subtitle_track_is_read(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mkv", [n / 6 for n in range(30)])
    assert subtitles_of(film) is None
    source = subtitles(tmp_path, "s.srt", "1\n00:00:01,000 --> 00:00:02,500\nMia : Hello, you!\n")
    both = tmp_path / "both.mkv"
    with av.open(str(film)) as pictures, av.open(str(source)) as text, av.open(str(both), "w") as out:
        tracks = {0: pictures.streams.video[0], 1: text.streams.subtitles[0]}
        copies = {i: out.add_stream_from_template(track) for i, track in tracks.items()}
        for i, container in ((0, pictures), (1, text)):
            for packet in container.demux(tracks[i]):
                if packet.dts is not None:
                    packet.stream = copies[i]
                    out.mux(packet)
    found = subtitles_of(both)
    assert found is not None
    assert [(s.start, s.end, s.text) for s in found.sentences] == [(1.0, 2.5, "Mia : Hello , you !")]


def test_real_films_and_subtitles_are_read() -> None:
    film, text = SHARED / "real" / "tears_of_steel_battle.webm", SHARED / "real" / "sintel_en.vtt"
    if not film.exists():
        pytest.skip("the real film is not beside this checkout")
    video = open_video(film)
    assert (video.width, video.height) == (800, 332)
    assert video.duration == pytest.approx(70.5, abs=0.4)
    found = read_subtitles(text)
    assert [s.text for s in found.sentences][1] == "This blade has a dark past ."
    assert not any("NOTE" in s.text or "<" in s.text for s in found.sentences)
