"""Limits of films and images, held before decoding: a small file may declare pictures that fill all memory."""

from __future__ import annotations

from pathlib import Path

from stage.errors import InputError

MOST_PIXELS = 80_000_000
"""Of one picture, which then takes 240 MB. Films in 8K have 33 million."""
LONGEST_HOURS = 24
"""Of a film. A damaged time stamp may announce centuries, with a frame to look at every two seconds."""


def check_bytes(path: Path, most: int) -> None:
    """Raises InputError if a file that is read as a whole is larger than `most` bytes, and OSError if it is gone."""
    if (size := path.stat().st_size) > most:
        raise InputError(
            f"{path}: has {size / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} MB are read; is it damaged?"
        )


def check_size(path: Path, width: int, height: int) -> None:
    """Raises InputError if a picture of that many pixels is too large to be decoded."""
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{path}: its pictures have {width} x {height} pixels, and at most {MOST_PIXELS // 10**6} million are "
            "read; scale it down"
        )


def check_duration(
    path: Path,
    seconds: float,
    measure: str = "time stamps",
    advice: str = "if they are damaged, convert it to .mp4 with H.264",
) -> None:
    """Raises InputError if a film is too long to be read."""
    if seconds > LONGEST_HOURS * 3600:
        raise InputError(
            f"{path}: is {seconds / 3600:.4g} hours long by its {measure}, and films of at most {LONGEST_HOURS} "
            f"hours are read; {advice}"
        )
