"""Time stamps that restart, jump, are missing or belong to another frame: still frame k is the one at k / 3 s."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from films import joined, number_of, numbered_picture, write_film
from stage.errors import InputError
from stage.media.decoding import FrameReader
from stage.media.video import Video, open_video

RATE = 24
ROUNDING = 0.02


def seconds(count: int, begin: Fraction | int = 0) -> list[Fraction]:
    return [begin + Fraction(i, RATE) for i in range(count)]


def numbers(video: Video, frames: Sequence[int] | None = None) -> list[int]:
    chosen = range(1, video.frame_count + 1) if frames is None else frames
    return [number_of(picture) for _, picture in video.frames(chosen)]


def shown(count: int, frames: Sequence[int]) -> list[int]:
    """The images shown at numbered frames of a film of `count` images at RATE."""
    return [min(count - 1, int((k / 3 + ROUNDING) * RATE)) for k in frames]


def captures(folder: Path, suffix: str, codec: str, begins: Sequence[int], **options: bool) -> Path:
    """Captures of 120, 72, 48.. images that begin at these seconds of their own clock, joined to one file."""
    parts, first = [], 0
    for i, (begin, count) in enumerate(zip(begins, (120, 72, 48), strict=False)):
        path = folder / f"part{i}{suffix}"
        parts.append(write_film(path, seconds(count, begin), codec, first=first, **options))
        first += count
    return joined(folder / f"film{suffix}", *parts)


@pytest.mark.parametrize(
    "begins", [(0, 0), (100, 0), (30, 0), (0, 100), (100, 103), (100, 105), (0, 3, 0)], ids=str
)
@pytest.mark.parametrize("suffix", [".ts", ".m2ts"])
def test_joined_captures_are_read_as_one_film(tmp_path: Path, suffix: str, begins: tuple[int, ...]) -> None:
    count = 120 + 72 + (48 if len(begins) > 2 else 0)
    video = open_video(captures(tmp_path, suffix, "libx264", begins))
    assert video.duration == pytest.approx(count / RATE, abs=0.002)
    assert numbers(video) == shown(count, range(1, count // 8 + 1))
    assert numbers(video, (1, 7, 13, 19)) == shown(count, (1, 7, 13, 19))  # others are not decoded
    follows_on = begins == (100, 105)
    assert video.joined == (not follows_on)
    if follows_on:
        assert video.notes == ()
    else:
        assert "time stamps begin anew after 5.0 s" in video.notes[0]


@pytest.mark.parametrize(
    ("suffix", "codec", "begins"),
    [
        (".mkv", "libx264", (0, 0)),
        (".mkv", "libx264", (100, 0)),
        (".mkv", "libx264", (100, 103)),
        (".webm", "libvpx", (0, 0)),
        (".webm", "libvpx", (100, 3)),
        (".mpg", "mpeg2video", (0, 0)),
    ],
)
def test_stamps_that_go_back_are_noticed_in_other_containers(
    tmp_path: Path, suffix: str, codec: str, begins: tuple[int, int]
) -> None:
    times = [
        [begin + Fraction(i, 25) for i in range(count)]
        for begin, count in zip(begins, (125, 75), strict=True)
    ]
    parts = [
        write_film(tmp_path / f"{i}{suffix}", part, codec, rate=25, first=i * 125)
        for i, part in enumerate(times)
    ]
    video = open_video(joined(tmp_path / f"film{suffix}", *parts))
    frames = range(1, 24)
    expected = [int((k / 3 + ROUNDING) * 25) for k in frames]
    assert video.duration == pytest.approx(8, abs=0.05)
    assert len(video.notes) == 1
    assert "time stamps begin anew after 5.0 s" in video.notes[0]
    assert all(abs(a - b) <= 1 for a, b in zip(numbers(video, frames), expected, strict=True))


def test_sound_before_the_first_of_joined_captures_begins_the_film(tmp_path: Path) -> None:
    first = write_film(tmp_path / "a.ts", seconds(72, 51), sound=True)
    second = write_film(tmp_path / "b.ts", seconds(48, 2), first=72)
    video = open_video(joined(tmp_path / "film.ts", first, second))
    assert video.duration == pytest.approx(51 + 5, abs=0.2)  # the encoder pads sound at its beginning
    silence = video.duration - 5
    frames = range(3 * 52, video.frame_count + 1)
    assert numbers(video, frames) == [min(119, int((k / 3 - silence + ROUNDING) * RATE)) for k in frames]


def test_a_long_time_without_a_picture_is_noted_where_it_is_no_new_beginning(tmp_path: Path) -> None:
    times = [*seconds(48), *seconds(48, 60)]
    video = open_video(write_film(tmp_path / "film.webm", times, "libvpx", container_options={"live": "1"}))
    assert video.frame_count == 186
    assert numbers(video, (6, 100, 179, 180)) == [47, 47, 47, 48]
    assert video.notes == (
        "the film has no new picture for more than 10 s, from 2.0 to 60.0 s; the one before is shown until then",
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts", ".flv", ".asf"])
@pytest.mark.parametrize("begin", [3, 100])
def test_a_film_that_begins_late_on_its_own_clock_has_nothing_to_note(
    tmp_path: Path, suffix: str, begin: int
) -> None:
    codec = "mpeg4" if suffix == ".asf" else "libx264"
    video = open_video(write_film(tmp_path / f"film{suffix}", seconds(96, begin), codec))
    assert video.notes == ()
    assert numbers(video) == shown(96, range(1, 13))


@pytest.mark.parametrize(
    ("suffix", "key_every"), [(".avi", 12), (".avi", 250), (".asf", 12), (".asf", 250), (".mxf", 12)]
)
def test_reordered_frames_of_containers_without_display_times_are_put_in_order(
    tmp_path: Path, suffix: str, key_every: int
) -> None:
    video = open_video(write_film(tmp_path / f"film{suffix}", seconds(1000), key_every=key_every))
    frames = [*range(1, 20), 40, 110, 112, 113, 124]
    assert numbers(video, frames) == shown(1000, frames)


def test_frames_that_precede_their_key_frame_are_counted_too(tmp_path: Path) -> None:
    options = {"preset": "medium", "x264-params": "open-gop=1:keyint=60:bframes=3:b-adapt=0"}
    video = open_video(write_film(tmp_path / "film.avi", seconds(300), encoder_options=options))
    assert numbers(video) == shown(300, range(1, 38))
    assert numbers(video, (1, 20, 30, 37)) == shown(300, (1, 20, 30, 37))


def test_a_lost_frame_shifts_others_up_to_the_next_key_frame_only(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.avi", seconds(240))
    raw = bytearray(path.read_bytes())
    places = [i for i in range(len(raw)) if raw.startswith(b"00dc", i)][:240]
    damaged = places[50]
    size = int.from_bytes(raw[damaged + 4 : damaged + 8], "little")
    raw[damaged + 8 : damaged + 8 + size] = bytes(size)
    path.write_bytes(raw)
    found = numbers(open_video(path))
    wanted = shown(240, range(1, 31))
    assert found[:5] == wanted[:5]
    assert found[7:] == wanted[7:]


def test_frames_without_stamps_follow_the_last_that_has_one(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mpg", seconds(120)))  # several of its frames share a stamp
    assert numbers(video) == shown(120, range(1, 16))


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", seconds(96), key_every=24)
    raw = bytearray(path.read_bytes())
    place = (
        raw.index(b"elst") + 16
    )  # its version, number of entries and first entry's duration precede the time
    time = int.from_bytes(raw[place : place + 4], "big")
    raw[place : place + 4] = (time + 24000).to_bytes(4, "big")  # one second later, in units of 1/24000 s
    path.write_bytes(raw)
    video = open_video(path)
    assert numbers(video, range(1, 9)) == [24 + number for number in shown(72, range(1, 9))]


def test_stamps_that_go_back_where_opening_did_not_look_end_in_an_error(tmp_path: Path) -> None:
    path = captures(tmp_path, ".ts", "libx264", (0, 0))
    with FrameReader(path) as reader:
        assert reader.frame_at(4) is not None
        with pytest.raises(InputError, match=r"film\.ts: its time stamps begin anew after 5\.\d s"):
            reader.frame_at(8)


@pytest.mark.parametrize("suffix", [".mp4", ".flv"])
def test_a_film_behind_a_film_whose_container_ends_is_noted(tmp_path: Path, suffix: str) -> None:
    first = write_film(tmp_path / f"a{suffix}", seconds(240))
    second = write_film(tmp_path / f"b{suffix}", seconds(240), encoder_options={"qp": "0"})
    assert open_video(first).notes == ()
    video = open_video(joined(tmp_path / f"film{suffix}", first, *[second] * 40))
    assert video.frame_count == 30
    assert len(video.notes) == 1
    assert re.match(r"the last \d+% of the file contain nothing of the film and are not read", video.notes[0])


def test_another_programme_behind_a_capture_is_noted(tmp_path: Path) -> None:
    first = write_film(tmp_path / "a.ts", seconds(96))
    second = write_film(tmp_path / "b.ts", seconds(48), first=96).read_bytes()
    other = bytearray(second)
    for place in range(
        0, len(other), 188
    ):  # move its pictures from track 256 to 257, its table from 4096 to 4097
        track = int.from_bytes(other[place + 1 : place + 3], "big")
        if track & 0x1FFF in (256, 4096):
            other[place + 1 : place + 3] = (track + 1).to_bytes(2, "big")
    (tmp_path / "b.ts").write_bytes(other)
    video = open_video(joined(tmp_path / "film.ts", first, *[tmp_path / "b.ts"] * 4))
    assert numbers(video) == shown(96, range(1, 13))
    assert "contain nothing of the film" in video.notes[0]


def test_a_film_is_not_confused_with_one_that_replaces_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", seconds(48))
    video = open_video(path)
    write_film(tmp_path / "other.mp4", seconds(48), first=500).replace(path)
    with pytest.raises(InputError, match=r"film\.mp4: has changed since it was opened"):
        list(video.frames((1,)))


def test_a_film_that_grows_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.ts", seconds(96))
    video = open_video(path)
    read = video.frames((1, 4, 7))
    _, picture = next(read)
    assert number_of(picture) == number_of(numbered_picture(8))
    with path.open("ab") as file:
        file.write(bytes(188))
    with pytest.raises(InputError, match=r"has changed since it was opened"):
        next(read)
