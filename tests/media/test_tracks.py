"""Which picture track is the film's, and what the user is told about it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from stage.media.video import open_video

BRIGHT, DARK = 220, 30


def picture(brightness: int, width: int, height: int, number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), brightness, np.uint8), format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, 24)
    return frame


def write_tracks(
    path: Path,
    tracks: list[tuple[int, tuple[int, int], Disposition]],
    pixel: Fraction | None = None,
) -> Path:
    """A film of a second with picture tracks, each of one brightness, a size and a disposition."""
    with av.open(str(path), "w") as container:
        streams = []
        for _, (width, height), disposition in tracks:
            stream = container.add_stream("libx264", rate=24)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = disposition
            if pixel:
                stream.codec_context.sample_aspect_ratio = pixel
            streams.append(stream)
        for i in range(24):
            for stream, (brightness, (width, height), _) in zip(streams, tracks, strict=True):
                container.mux(stream.encode(picture(brightness, width, height, i)))
        for stream in streams:
            container.mux(stream.encode())
    return path


NONE, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic


@pytest.mark.parametrize(
    ("tracks", "size"),
    [
        ([(DARK, (160, 96), NONE), (BRIGHT, (320, 176), DEFAULT)], (320, 176)),
        ([(DARK, (320, 176), NONE), (BRIGHT, (160, 96), DEFAULT)], (160, 96)),
        ([(DARK, (160, 96), DEFAULT), (BRIGHT, (320, 176), DEFAULT)], (320, 176)),
        ([(DARK, (160, 96), NONE), (BRIGHT, (320, 176), NONE)], (320, 176)),
        ([(BRIGHT, (160, 96), DEFAULT), (DARK, (160, 96), DEFAULT)], (160, 96)),
    ],
    ids=["default and larger", "default but smaller", "both default", "none default", "all the same"],
)
def test_the_default_track_is_read_then_the_largest_then_the_first(
    tmp_path: Path, tracks: list[tuple[int, tuple[int, int], Disposition]], size: tuple[int, int]
) -> None:
    video = open_video(write_tracks(tmp_path / "film.mkv", tracks))
    ((_, picture),) = video.frames((1,))
    assert (video.width, video.height) == size
    assert picture.mean() == pytest.approx(BRIGHT, abs=4)
    (note,) = video.notes
    used = 0 if tracks[0][0] == BRIGHT else 1
    assert f"the film has 2 picture tracks; track {used} ({size[0]} x {size[1]}" in note


def test_cover_art_is_never_the_film_and_not_worth_a_note(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 640, 480, "yuvj420p", COVER
        film = container.add_stream("libx264", rate=24)
        film.width, film.height, film.pix_fmt = 160, 96, "yuv420p"
        container.mux(cover.encode(picture(DARK, 640, 480, 0)))
        for i in range(24):
            container.mux(film.encode(picture(BRIGHT, 160, 96, i)))
        container.mux(film.encode())
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    video = open_video(path)
    ((_, shown),) = video.frames((1,))
    assert (video.width, video.height, video.notes) == (160, 96, ())
    assert shown.mean() == pytest.approx(BRIGHT, abs=4)


def test_pixels_that_are_not_square_are_noted_and_frames_stay_as_stored(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "film.mp4", [(BRIGHT, (320, 176), DEFAULT)], Fraction(64, 45))
    video = open_video(path)
    assert (video.width, video.height) == (320, 176)
    assert video.notes == (
        "the film's pixels aren't square (64:45): it is stored as 320 x 176, and shown as 455 x 176; frames and "
        "boxes are in stored pixels",
    )


@pytest.mark.parametrize("pixel", [None, Fraction(1), Fraction(1080, 1079)])
def test_square_pixels_are_nothing_to_note(tmp_path: Path, pixel: Fraction | None) -> None:
    path = write_tracks(tmp_path / "film.mp4", [(BRIGHT, (320, 176), DEFAULT)], pixel)
    assert open_video(path).notes == ()
