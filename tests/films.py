"""Small films for tests. Every frame shows its own number, so that a test sees which one was read."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stage.types import Image

BITS = 10
BLOCK = 16
WIDTH, HEIGHT = BITS * BLOCK, 48


def numbered_picture(number: int) -> Image:
    """The number in black and white blocks, lowest bit left; the top third is red."""
    bits = (number >> np.arange(BITS)) & 1
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.repeat(bits * 255, BLOCK)[None, :, None]
    picture[: HEIGHT // 3] = (200, 30, 30)
    return picture


def number_of(picture: Image) -> int:
    """The number that `numbered_picture` drew, at any size."""
    height, width, _ = picture.shape
    middles = (np.arange(BITS) * 2 + 1) * width // (2 * BITS)
    bits = picture[height * 2 // 3, middles].mean(axis=1) > 127
    return int((bits << np.arange(BITS)).sum())


def write_film(
    path: Path,
    times: Iterable[Fraction | float],
    codec: str = "libx264",
    *,
    rate: int | Fraction = 24,
    key_every: int = 12,
    first: int = 0,
    format: str | None = None,
    sound: bool = False,
    encoder_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """A film of images 0, 1, 2.. (or from `first` on) at `times` in seconds. Skips the test without the codec."""
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"{codec} is not installed")
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as container:
        options = {"g": str(key_every), "keyint_min": str(key_every)}
        if codec != "libvpx":
            options["bf"] = "2"
        if codec == "libx264":
            options |= {"preset": "ultrafast", "sc_threshold": "0"}
        track = container.add_stream(codec, rate=rate, options=options | (encoder_options or {}))
        track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        base = (
            1 / Fraction(rate) if codec.startswith("mpeg") or path.suffix == ".h264" else Fraction(1, 24000)
        )
        track.time_base = track.codec_context.time_base = base
        if sound:
            _write_silence(container)
        for number, time in enumerate(times, first):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def _write_silence(container: av.container.OutputContainer) -> None:
    """A sound track of one silent second, from 0 on."""
    track = container.add_stream("aac", rate=8000, layout="mono")
    for first in range(0, 8192, 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, first, Fraction(1, 8000)
        container.mux(track.encode(frame))
    container.mux(track.encode())


def write_sound(path: Path) -> Path:
    """A second of silence without a video track."""
    with av.open(str(path), "w") as container:
        _write_silence(container)
    return path


def with_display_matrix(film: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an .mp4 film: pixel (x, y) is shown at (a x + c y, b x + d y)."""
    raw = bytearray(film.read_bytes())
    start = raw.index(b"tkhd") + 44
    raw[start : start + 36] = struct.pack(">9i", *(v << 16 for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    film.write_bytes(raw)
    return film


def joined(path: Path, *parts: Path) -> Path:
    """The bytes of several films one after the other, as `cat` joins captures."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
