"""The sound of a film on the film's clock: bursts are found at the times at which they were put."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from films import joined, write_film
from samples.speech import clicks, placed, write_sounding_film
from stage.errors import InputError
from stage.media.video import open_video
from stage.speech.sound import RATE, SoundTrack, sound_track
from stage.types import Array

TIMES = [1.0, 3.0, 5.5]


def opened(path: Path) -> SoundTrack:
    track = sound_track(open_video(path))
    assert track is not None
    return track


def samples_of(path: Path, begin: float = 0.0) -> Array:
    return np.concatenate([np.zeros(0, np.float32), *opened(path).blocks(begin)])


def bursts(samples: Array) -> list[float]:
    """When each burst begins, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.3) / RATE
    return [float(time) for time, gap in zip(loud, np.diff(loud, prepend=-1.0), strict=True) if gap > 0.2]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("f.mp4", ""), ("f.mkv", ""), ("f.webm", ""), ("f.ts", ""), ("f.avi", "pcm_s16le"), ("f.mkv", "flac")],
)
def test_sound_is_at_its_time_in_every_container(name: str, codec: str, tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / name, clicks(TIMES, 8), seconds=8, codec=codec)
    assert bursts(samples_of(film)) == pytest.approx(TIMES, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000])
def test_sound_of_any_rate_is_read(rate: int, tmp_path: Path) -> None:
    film = write_sounding_film(
        tmp_path / "f.mkv", clicks(TIMES, 8, rate), seconds=8, rate=rate, codec="pcm_s16le"
    )
    samples = samples_of(film)
    assert bursts(samples) == pytest.approx(TIMES, abs=0.01)
    assert len(samples) == pytest.approx(8 * RATE, abs=RATE // 20)


@pytest.mark.parametrize("name", ["f.mp4", "f.mkv", "f.ts"])
def test_sound_that_begins_later_is_later(name: str, tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / name, clicks(TIMES, 8), seconds=12, sound_from=2)
    assert bursts(samples_of(film)) == pytest.approx([3.0, 5.0, 7.5], abs=0.01)


def test_times_count_from_the_first_picture_or_from_sound_before_it(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", clicks(TIMES, 8), seconds=8, picture_from=2)
    assert open_video(film).start == 0.0
    assert bursts(samples_of(film)) == pytest.approx(TIMES, abs=0.01)


def test_a_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", clicks(TIMES, 8), seconds=8, left_out=(3.5, 5.2))
    samples = samples_of(film)
    assert bursts(samples) == pytest.approx(TIMES, abs=0.01)
    assert not samples[round(3.8 * RATE) : round(5.0 * RATE)].any()


def test_joined_captures_have_the_sound_of_each_part_with_its_pictures(tmp_path: Path) -> None:
    parts = [
        write_sounding_film(tmp_path / f"{k}.ts", clicks([1.0 + k, 3.0 + k], 5), seconds=5) for k in range(2)
    ]
    film = joined(tmp_path / "joined.ts", *parts)
    assert open_video(film).joined
    assert bursts(samples_of(film)) == pytest.approx([1.0, 3.0, 7.0, 9.0], abs=0.02)


def test_sound_after_the_last_picture_is_left_out_and_noted(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mp4", clicks([1.0, 9.0], 12), seconds=8)
    assert bursts(samples_of(film)) == pytest.approx([1.0], abs=0.01)
    assert len(samples_of(film)) == 8 * RATE
    (note,) = opened(film).notes
    assert "goes on for 4.0 s after its last picture" in note


def test_reading_can_begin_anywhere(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", clicks(TIMES, 8), seconds=8, left_out=(3.5, 5.2))
    assert bursts(samples_of(film, 2.5)) == pytest.approx([0.5, 3.0], abs=0.01)
    assert bursts(samples_of(film, 4.0)) == pytest.approx([1.5], abs=0.01)
    assert not len(samples_of(film, 100.0))


def test_the_default_track_of_several_is_heard_and_named(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", clicks([1.0], 4), clicks([2.0], 4), seconds=4, default=1)
    assert bursts(samples_of(film)) == pytest.approx([2.0], abs=0.01)
    (note,) = opened(film).notes
    assert "has 2 sound tracks; track 2" in note
    assert "the default one" in note


def test_a_film_without_sound_has_no_track(tmp_path: Path) -> None:
    assert sound_track(open_video(write_film(tmp_path / "f.mp4", [0.0, 1.0]))) is None


def test_loud_sound_is_limited(tmp_path: Path) -> None:
    sound = placed({1.0: np.full(22_050, 3.0, np.float32)}, 3.0)
    film = write_sounding_film(tmp_path / "f.mkv", sound, seconds=3, codec="flac")
    samples = samples_of(film)
    assert np.abs(samples).max() <= 1.0
    assert np.isfinite(samples).all()


def test_a_damaged_part_is_silence_and_the_rest_stays_in_time(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.ts", clicks(TIMES, 8), seconds=8)
    raw = bytearray(film.read_bytes())
    middle = len(raw) * 4 // 8  # about 4 s
    raw[middle : middle + 1500] = bytes(1500)
    film.write_bytes(raw)
    assert bursts(samples_of(film)) == pytest.approx(TIMES, abs=0.02)


def test_a_film_that_is_gone_is_an_error(tmp_path: Path) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", clicks(TIMES, 8), seconds=8)
    track = opened(film)
    film.unlink()
    with pytest.raises(InputError, match=r"can no longer be read"):
        list(track.blocks())
