"""A film file to numbered frames.

Frame k is the picture that is shown k / 3 seconds after the first: the last one that begins no later than that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from stage.errors import InputError
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Image

SEEK_AHEAD = 12.0
"""Seconds; what is further ahead is sought instead of decoded up to."""
TOLERANCE = 1e-3
SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Video:
    """A film that can be decoded. Nothing of it is held in memory."""

    path: Path
    width: int
    height: int
    frame_count: int
    """Numbered frames, 3 a second."""
    start: float
    """Seconds on the container's clock when the first picture is shown."""
    notes: tuple[str, ...] = ()
    """What is wrong with the file and was repaired."""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frame_count / FRAMES_PER_SECOND

    def model_frames(self, limit: int | None = None) -> tuple[int, ...]:
        """The numbered frames that the model looks at, one each two seconds: 1, 7, 13, ..."""
        frames = range(1, max(self.frame_count, 1) + 1, MODEL_STRIDE)
        return tuple(frames[:limit])

    def frames(self, numbers: Sequence[int], longest_side: int | None = None) -> Iterator[tuple[int, Image]]:
        """Decode numbered frames, in increasing order, one picture in memory at a time.

        longest_side: scale larger pictures down to this many pixels. Where the file breaks off, frames end early.
        """
        size = _scaled(self.width, self.height, longest_side)
        wanted = iter(sorted(numbers))
        number = next(wanted, None)
        with av.open(str(self.path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            shown: Any = None
            while number is not None:
                time = self.start + number / FRAMES_PER_SECOND
                if shown is None or time - _time(shown) > SEEK_AHEAD:
                    shown = _seek(container, stream, time, shown)
                for picture in _decoded(container, stream):
                    while number is not None and shown is not None and _time(picture) > time + TOLERANCE:
                        yield number, shown.to_ndarray(format="rgb24", width=size[0], height=size[1])
                        number = next(wanted, None)
                        if number is not None:
                            time = self.start + number / FRAMES_PER_SECOND
                    shown = picture
                    if number is None or time - _time(shown) > SEEK_AHEAD:
                        break
                else:
                    break
            while number is not None and shown is not None:  # the last picture is shown until the film ends
                if number / FRAMES_PER_SECOND > _time(shown) - self.start + 1.5:
                    break
                yield number, shown.to_ndarray(format="rgb24", width=size[0], height=size[1])
                number = next(wanted, None)


def open_video(path: Path) -> Video:
    """Find out what is in a film file. Raises InputError if nothing can be shown of it."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a film file")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the film")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); copy the film again")
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise InputError(f"{path}: has no picture track (audio only?); give a film with pictures")
            stream = container.streams.video[0]
            first = next(_decoded(container, stream), None)
            if first is None:
                raise InputError(f"{path}: its picture track can't be decoded; is the file whole?")
            start = _time(first)
            end, whole = _end(container, stream)
            width, height = first.width, first.height
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path}: is not a film that can be read ({error.strerror}); convert it first"
        ) from None
    notes = (
        ()
        if whole
        else (f"{path.name} breaks off or has gaps: the {end - start:.1f} s that can be read are used",)
    )
    return Video(
        path, width, height, max(1, int((end - start) * FRAMES_PER_SECOND + TOLERANCE)), start, notes
    )


def fingerprint(path: Path) -> str:
    """Identifies a file by its size and samples of its content: its beginning, middle and end, 1 MB each."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for at in sorted({0, max(0, size // 2 - SAMPLE_BYTES // 2), max(0, size - SAMPLE_BYTES)}):
            file.seek(at, os.SEEK_SET)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def _end(container: Any, stream: Any) -> tuple[float, bool]:
    """Seconds on the container's clock when the last readable picture ends, and whether that is as announced.

    Packets are read, not decoded: it takes a moment for a film of hours, and no header is trusted.
    """
    announced = float(stream.duration * stream.time_base) if stream.duration else None
    container.seek(0)
    end = 0.0
    whole = True
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                length = float((packet.duration or 0) * packet.time_base)
                end = max(end, float(packet.pts * packet.time_base) + length)
    except av.error.FFmpegError:
        whole = False
    begin = float((stream.start_time or 0) * stream.time_base)
    if announced is not None and end - begin < announced - 1.0:
        whole = False
    return end, whole


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Pictures in the order they are shown; damaged packets are passed over."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.EOFError):
            return
        except av.error.FFmpegError:
            return
        try:
            yield from (picture for picture in packet.decode() if picture.pts is not None)
        except av.error.FFmpegError:
            continue


def _seek(container: Any, stream: Any, time: float, shown: Any) -> Any:
    """Go to the last key picture before a second; what was shown before it, if going there was no use."""
    try:
        container.seek(int(max(time - 0.5, 0) / stream.time_base), stream=stream, backward=True)
    except av.error.FFmpegError:
        return shown
    return None


def _time(picture: Any) -> float:
    return float(picture.pts * picture.time_base)


def _scaled(width: int, height: int, longest_side: int | None) -> tuple[int, int]:
    if longest_side is None or max(width, height) <= longest_side:
        return width, height
    scale = longest_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
