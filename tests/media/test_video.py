"""Numbered frames are those shown at multiples of a third of a second, whatever the file is like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from films import HEIGHT, WIDTH, number_of, numbered_picture, write_film, write_sound
from samples.places import SHARED
from stage.errors import InputError
from stage.media.video import Video, fingerprint, open_video

ROUNDING = 0.02


def steady(seconds: float, rate: int = 24) -> list[Fraction]:
    return [Fraction(i, rate) for i in range(int(seconds * rate))]


def shown_at(times: Sequence[Fraction | float], number: int) -> int:
    """By definition: the last image that begins at most number / 3 seconds after the first, up to rounding."""
    return max(i for i, time in enumerate(times) if time - times[0] <= number / 3 + ROUNDING)


def numbers(video: Video, frames: Sequence[int]) -> dict[int, int]:
    return {frame: number_of(picture) for frame, picture in video.frames(frames)}


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mp4", "libx264"),
        ("film.mkv", "libx264"),
        ("film.ts", "libx264"),
        ("film.mp4", "mpeg4"),
        ("film.avi", "mpeg4"),
        ("film.webm", "libvpx"),
        ("film.h264", "libx264"),
        ("film.avi", "libx264"),
        ("film.asf", "libx264"),
        ("film.mov", "libx265"),
        ("film.flv", "libx264"),
        ("film.webm", "libvpx-vp9"),
    ],
)
def test_frame_k_is_the_one_shown_at_k_thirds_of_a_second(tmp_path: Path, name: str, codec: str) -> None:
    times = steady(5)
    video = open_video(write_film(tmp_path / name, times, codec))
    assert video.frame_count == 15
    assert video.duration == pytest.approx(5, abs=0.002)
    assert video.notes == ()
    assert numbers(video, range(1, 16)) == {k: shown_at(times, k) for k in range(1, 16)}


def test_times_between_frames_show_the_earlier_one(tmp_path: Path) -> None:
    times = steady(4, rate=25)
    video = open_video(write_film(tmp_path / "film.mp4", times, rate=25))
    assert numbers(video, (1, 2, 3, 4)) == {1: 8, 2: 17, 3: 25, 4: 33}


def test_a_frame_is_shown_until_the_next_one_at_a_variable_frame_rate(tmp_path: Path) -> None:
    gaps = np.random.default_rng(3).choice([0.02, 0.05, 0.3, 1.5], size=60)
    times = [round(float(t), 3) for t in np.cumsum(gaps) - gaps[0]]
    video = open_video(write_film(tmp_path / "film.mkv", times))
    frames = range(1, video.frame_count + 1)
    assert video.duration == pytest.approx(times[-1], abs=0.1)
    assert numbers(video, frames) == {k: shown_at(times, k) for k in frames}


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
def test_time_is_counted_from_the_first_picture(tmp_path: Path, name: str) -> None:
    times = [time + 7 for time in steady(3)]
    video = open_video(write_film(tmp_path / name, times))
    assert video.frame_count == 9
    assert numbers(video, range(1, 10)) == {k: shown_at(times, k) for k in range(1, 10)}


def test_time_is_counted_from_the_sound_if_that_begins_first(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mkv", [time + 1 for time in steady(2)], sound=True))
    assert video.frame_count == 9
    assert numbers(video, (1, 3, 4, 6)) == {1: 0, 3: 0, 4: 8, 6: 24}


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
@pytest.mark.parametrize("key_every", [1, 12, 900])
def test_seeking_gives_the_same_frames(tmp_path: Path, name: str, key_every: int) -> None:
    times = steady(80, rate=12)
    video = open_video(write_film(tmp_path / name, times, rate=12, key_every=key_every))
    frames = (2, 8, 14, 15, 100, 103, 109, 230, 239, 240)
    assert numbers(video, frames) == {k: shown_at(times, k) for k in frames}


def test_gradually_refreshed_key_frames_are_decoded_in_full(tmp_path: Path) -> None:
    times = steady(20)
    refresh = {"preset": "medium", "x264-params": "intra-refresh=1:keyint=48:bframes=0"}
    video = open_video(write_film(tmp_path / "film.mkv", times, encoder_options=refresh))
    assert numbers(video, (1, 7, 31, 59)) == {k: shown_at(times, k) for k in (1, 7, 31, 59)}


def test_frames_come_once_and_in_order_and_none_from_outside_the_film(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mp4", steady(2)))
    assert [frame for frame, _ in video.frames((5, 2, 5, 0, -3, 7, 900))] == [2, 5]


def test_frames_are_rgb_at_their_own_size(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mp4", steady(1)))
    ((_, picture),) = video.frames((1,))
    assert (video.width, video.height) == (WIDTH, HEIGHT)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - numbered_picture(8)).mean() < 8


def test_frames_are_scaled_down_but_never_up(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mp4", steady(1)))
    ((_, small),) = video.frames((1,), longest_side=80)
    ((_, large),) = video.frames((1,), longest_side=1000)
    assert small.shape == (24, 80, 3)
    assert number_of(small) == 8
    assert large.shape == (HEIGHT, WIDTH, 3)
    assert (video.width, video.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("name", "options"), [("film.mkv", {}), ("film.ts", {}), ("film.mp4", {"movflags": "faststart"})]
)
def test_a_truncated_file_gives_the_frames_it_has(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    times = steady(20)
    path = write_film(tmp_path / name, times, container_options=options)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    video = open_video(path)
    assert 20 < video.frame_count < 50
    assert not video.notes if name == "film.ts" else "breaks off" in video.notes[0]
    frames = range(1, video.frame_count)
    assert numbers(video, frames) == {k: shown_at(times, k) for k in frames}


def test_damage_within_a_film_leaves_the_frames_around_it(tmp_path: Path) -> None:
    times = steady(20)
    path = write_film(tmp_path / "film.mp4", times)
    raw = bytearray(path.read_bytes())
    middle = raw.index(b"mdat") + (len(raw) - raw.index(b"mdat")) // 2
    raw[middle : middle + 400] = bytes(400)
    path.write_bytes(raw)
    video = open_video(path)
    found = numbers(video, range(1, 61))
    assert len(found) == 60
    assert all(found[k] == shown_at(times, k) for k in (*range(1, 20), *range(45, 61)))


def test_a_film_whose_header_has_no_duration_is_measured(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.webm", steady(4), "libvpx", container_options={"live": "1"})
    assert open_video(path).frame_count == 12


def test_a_film_shorter_than_a_frame_has_one(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mp4", steady(0.125)))
    assert numbers(video, (1,)) == {1: 2}


def test_the_model_reads_a_frame_every_two_seconds() -> None:
    video = Video(Path("a/film.mp4"), 640, 360, 2000 / 3, 2000, 0.0)
    assert video.name == "film"
    assert video.model_frames()[:3] == (1, 7, 13)
    assert video.model_frames()[-1] == 1999


def not_films(folder: Path) -> dict[str, Path]:
    write_film(folder / "good.mp4", steady(1))
    good = (folder / "good.mp4").read_bytes()
    contents = {
        "empty.mp4": b"",
        "noise.mp4": np.random.default_rng(0).bytes(5000),
        "text.mp4": b"this is no film\n" * 100,
        "story.txt": b"this is no film\n" * 100,
        "headless.mp4": good[: good.index(b"moov") - 8],
        "unknown.mp4": good.replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"),
        "list.ffconcat": b"ffconcat version 1.0\nfile good.mp4\n",
        "lines.srt": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_film(folder / "nothing.mkv", [])
    paths = {name: folder / name for name in (*contents, "nothing.mkv", "missing.mp4")}
    return paths | {"folder": folder, "sound.mp4": write_sound(folder / "sound.mp4")}


def test_files_that_are_not_films_are_refused_in_one_line(tmp_path: Path) -> None:
    reasons = {}
    for name, path in not_films(tmp_path).items():
        with pytest.raises(InputError) as refused:
            open_video(path)
        reasons[name] = str(refused.value)
        assert str(path) in reasons[name]
        assert "\n" not in reasons[name]
    assert "no video track (sound only)" in reasons["sound.mp4"]
    assert "is a folder" in reasons["folder"]
    assert "no such file" in reasons["missing.mp4"]
    assert "0 bytes" in reasons["empty.mp4"]
    assert "video codec is unknown" in reasons["unknown.mp4"]


def test_a_film_that_disappears_is_reported(tmp_path: Path) -> None:
    video = open_video(write_film(tmp_path / "film.mp4", steady(1)))
    video.path.unlink()
    with pytest.raises(InputError, match=r"film\.mp4"):
        list(video.frames((1,)))


@pytest.mark.parametrize("place", [0, 7_500_000, -1])
def test_fingerprints_distinguish_films_by_content(tmp_path: Path, place: int) -> None:
    content = bytearray(np.random.default_rng(1).bytes(15_000_000))
    first, copy, other = (tmp_path / name for name in ("first.mp4", "copy.mp4", "other.mp4"))
    first.write_bytes(content)
    os.link(first, copy)
    content[place] ^= 1
    other.write_bytes(content)
    assert fingerprint(first) == fingerprint(copy)
    assert fingerprint(first) != fingerprint(other)


def test_a_missing_file_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.mp4"):
        fingerprint(tmp_path / "missing.mp4")


def test_a_real_film_is_read() -> None:
    path = SHARED / "real" / "tears_of_steel_battle.webm"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    video = open_video(path)
    assert (video.width, video.height, video.frame_count) == (800, 332, 211)
    frames = dict(video.frames(video.model_frames(), longest_side=160))
    assert tuple(frames) == video.model_frames()
    assert len({picture.tobytes() for picture in frames.values()}) == len(frames)
