"""Properties of films: numbered frame k is what the film shows k / 3 s after its beginning, whatever the film is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from films import joined, number_of, write_film
from stage.media.extent import FORWARD
from stage.media.video import open_video

FEW = settings(max_examples=12, deadline=None, derandomize=True, database=None)
ROUNDING = 0.02
CLOCK = 0.002
"""Seconds by which time stamps may be rounded: Matroska's and FLV's are in milliseconds."""
OVERLAP = Fraction(1, 4)
"""Seconds."""

VARIABLE = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".ts": "libx264", ".flv": "libx264"}
"""Containers with a time stamp for every frame."""
CONSTANT = {**VARIABLE, ".avi": "libx264", ".asf": "libx264", ".webm": "libvpx"}
RATES = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(50),
    Fraction(12),
    Fraction(5),
]
FRAMES = st.sets(st.integers(1, 60), min_size=1, max_size=10)


def film_shows(
    suffix: str, codec: str, times: Sequence[Fraction], rate: Fraction, key_every: int, asked: set[int]
) -> None:
    """Write a film, and hold the numbered frames that were asked for against its images' times."""
    with TemporaryDirectory() as folder:
        path = write_film(Path(folder) / f"film{suffix}", times, codec, rate=rate, key_every=key_every)
        video = open_video(path)
        read = {number: number_of(picture) for number, picture in video.frames(sorted(asked))}
    last = times[-1] - times[0]
    assert float(last) - CLOCK <= video.duration <= float(last) + 2 + CLOCK
    assert video.frame_count == max(1, int((video.duration + 0.001) * 3 + 1e-6))
    assert set(read) == {number for number in asked if number <= video.frame_count}
    for number, image in read.items():
        assert image in images_at(times, number, rate)


def images_at(times: Sequence[Fraction], number: int, rate: Fraction) -> set[int]:
    """The image that is shown at a numbered frame; two where the rounding of time stamps decides."""
    rounding = min(0.5 / float(rate), ROUNDING)
    return {
        max(
            i
            for i, time in enumerate(times)
            if i == 0 or float(time - times[0]) <= number / 3 + rounding + error
        )
        for error in (-CLOCK, CLOCK)
    }


@FEW
@given(
    st.sampled_from(sorted(CONSTANT)),
    st.sampled_from(RATES),
    st.integers(12, 250),
    st.integers(1, 100),
    FRAMES,
)
def test_constant_rates(suffix: str, rate: Fraction, count: int, key_every: int, asked: set[int]) -> None:
    times = [i / rate for i in range(count)]
    film_shows(suffix, CONSTANT[suffix], times, rate, key_every, asked)


@FEW
@given(
    st.sampled_from(sorted(VARIABLE)),
    st.lists(st.integers(1, 90), min_size=8, max_size=60),
    st.integers(0, 500),
    st.integers(1, 100),
    FRAMES,
)
def test_variable_rates_and_any_beginning(
    suffix: str, gaps: list[int], begin: int, key_every: int, asked: set[int]
) -> None:
    rate = Fraction(50)
    times = [(begin + sum(gaps[:i])) / rate for i in range(len(gaps) + 1)]
    film_shows(suffix, VARIABLE[suffix], times, rate, key_every, asked)


@FEW
@given(st.lists(st.tuples(st.integers(24, 60), st.integers(1, 100)), min_size=2, max_size=3), FRAMES)
def test_joined_captures_of_any_lengths_and_clocks(parts: list[tuple[int, int]], asked: set[int]) -> None:
    ends = [begin + Fraction(count, 24) for count, begin in parts]
    steps = [begin - end for end, (_, begin) in zip(ends, parts[1:], strict=False)]
    assume(not any(-OVERLAP < step < 0 for step in steps))  # too little to be noticed
    first, files = 0, []
    with TemporaryDirectory() as folder:
        for i, (count, begin) in enumerate(parts):
            path, times = Path(folder) / f"part{i}.ts", [begin + Fraction(k, 24) for k in range(count)]
            files.append(write_film(path, times, first=first))
            first += count
        video = open_video(joined(Path(folder) / "film.ts", *files))
        read = {number: number_of(picture) for number, picture in video.frames(sorted(asked))}
    pauses = [step if 0 <= step <= FORWARD else Fraction(0) for step in steps]
    begins = list(
        accumulate((Fraction(parts[i][0], 24) + pauses[i] for i in range(len(pauses))), initial=Fraction(0))
    )
    times = [
        begin + Fraction(k, 24) for (count, _), begin in zip(parts, begins, strict=True) for k in range(count)
    ]
    assert video.duration == pytest.approx(float(times[-1] + Fraction(1, 24)), abs=CLOCK)
    assert all(image in images_at(times, number, Fraction(24)) for number, image in read.items())
    assert bool(video.notes) == (pauses != steps)
