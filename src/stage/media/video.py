"""A film file to numbered frames.

Frame k is the picture shown k / 3 seconds after the film begins: the last one whose time stamp is at most that
plus half a picture's length (0.02 s at most), because time stamps are rounded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from stage.errors import InputError
from stage.media.decoding import (
    PictureReader,
    open_container,
    picture_rate,
    picture_track,
    seconds,
    upright,
)
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Image

MOST_MODEL_FRAMES = 300
"""The most frames that the model was made for."""
ROUNDING = 1e-3
TAIL = 5.0
"""Seconds before the announced end from which the film's end is looked for."""
MISSING = 1.0
"""Seconds by which a film may be shorter than announced without being called broken."""
LATE_PICTURES = 0.1
"""Seconds; sound that begins less than this before the pictures does not begin the film (coders pad it)."""
SAMPLE_BYTES = 4 << 20
STILL_FORMATS = ("image2", "_pipe", "tty", "concat")


@dataclass(frozen=True, slots=True)
class Video:
    """A film that can be decoded. Nothing of it is held in memory."""

    path: Path
    width: int
    """Of the upright picture, in pixels; boxes are in these pixels, whatever the size frames are decoded at."""
    height: int
    duration: float
    """Seconds from the film's beginning to the end of the last picture that can be read."""
    frame_count: int
    """Numbered frames, 3 a second: 1..frame_count."""
    start: float
    """Seconds on the file's own clock when the film begins."""
    notes: tuple[str, ...] = ()
    """What is wrong with the file and was repaired, to be put before the user."""

    @property
    def name(self) -> str:
        return self.path.stem

    def model_frames(self, limit: int | None = MOST_MODEL_FRAMES) -> tuple[int, ...]:
        """The numbered frames that the model looks at, one each two seconds: 1, 7, 13, ...

        limit: at most this many, the first ones; all of the film's if None.
        """
        return tuple(range(1, self.frame_count + 1, MODEL_STRIDE)[:limit])

    def scaled_size(self, longest_side: int | None) -> tuple[int, int]:
        """Width and height in pixels at which frames are decoded; never larger than the film's own."""
        scale = min(1.0, longest_side / max(self.width, self.height)) if longest_side else 1.0
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    def frames(self, numbers: Sequence[int], longest_side: int | None = None) -> Iterator[tuple[int, Image]]:
        """Decode numbered frames, each once, in increasing order, one picture in memory at a time.

        longest_side: scale larger pictures down to this many pixels, see `scaled_size`. Numbers outside
        1..frame_count are left out. Where pictures within the film are damaged, the last good one is shown.
        Raises InputError if the file has gone or changed so that it can't be read any more.
        """
        wanted = [number for number in sorted(set(numbers)) if 1 <= number <= self.frame_count]
        size = self.scaled_size(longest_side)
        try:
            with PictureReader(self.path) as reader:
                for number in wanted:
                    picture = reader.picture_at(self.start + number / FRAMES_PER_SECOND)
                    if picture is None:
                        return
                    yield number, upright(picture, size)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: can't be read any more ({error.strerror}); open it again"
            ) from None


def open_video(path: Path) -> Video:
    """Find out what is in a film file; only its first picture is decoded.

    Raises InputError if there is no such file, or it isn't a film, has no pictures, or none that can be decoded.
    """
    _check_file(path)
    try:
        with open_container(path) as container:
            track = _decodable_track(path, container)
            with PictureReader(path) as reader:
                first = reader.picture_at(-math.inf)
            if first is None:
                raise InputError(f"{path}: no picture of it can be decoded; convert it to .mp4 with H.264")
            start = _beginning(container, seconds(first))
            announced = _announced_end(container, track)
        end, whole = _ending(path, start, announced)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: is not a film that can be read ({error.strerror}); is it whole?") from None
    duration = max(end, seconds(first)) - start
    height, width, _ = upright(first).shape
    frame_count = max(1, int((duration + ROUNDING) * FRAMES_PER_SECOND))
    broken = (
        f"{path.name} breaks off before its announced end; the {duration:.1f} s that can be read are used"
    )
    return Video(path, width, height, duration, frame_count, start, () if whole else (broken,))


def fingerprint(path: Path) -> str:
    """Identifies a film's content: SHA-256 (its first 32 digits) of the size and of 4 MB each at the beginning,
    in the middle and at the end. Files that differ elsewhere only, at equal size, are taken for the same.

    Raises InputError if the file can't be read.
    """
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            for offset in (0, (size - SAMPLE_BYTES) // 2, size - SAMPLE_BYTES):
                file.seek(max(0, offset))
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check the path") from None
    return digest.hexdigest()[:32]


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a film file")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the film")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); copy the film again")


def _decodable_track(path: Path, container: InputContainer) -> VideoStream:
    if any(kind in container.format.name for kind in STILL_FORMATS):
        raise InputError(f"{path}: is a single picture or a text, not a film; give a film file")
    track = picture_track(container)
    if track is None:
        sound = " (sound only)" if container.streams.audio else ""
        raise InputError(f"{path}: has no picture track{sound}; give a film with pictures")
    if track.codec_context is None:
        raise InputError(f"{path}: its pictures are coded in an unknown way; convert it to .mp4 with H.264")
    return track


def _beginning(container: InputContainer, first: float) -> float:
    """Seconds on the file's own clock from which its times, those of its subtitles too, are counted."""
    announced = first if container.start_time is None else container.start_time / av.time_base
    return announced if announced < first - LATE_PICTURES else first


def _ending(path: Path, start: float, announced: float | None) -> tuple[float, bool]:
    """Seconds on the file's own clock when the last picture ends, and whether the file is as long as announced.

    No header is trusted: the packets are looked at, those at the announced end first. Only if there are none is
    the whole file read (not decoded).
    """
    if announced is not None:
        end, reached = _read_to_end(path, announced - TAIL)
        if end is not None and reached >= announced - MISSING:
            return end, True
    end, reached = _read_to_end(path, None)
    return start if end is None else end, announced is None or reached >= announced - MISSING


def _announced_end(container: InputContainer, track: VideoStream) -> float | None:
    if track.duration and track.time_base:
        return float(((track.start_time or 0) + track.duration) * track.time_base)
    if container.duration:
        return ((container.start_time or 0) + container.duration) / av.time_base
    return None


def _read_to_end(path: Path, begin: float | None) -> tuple[float | None, float]:
    """When the last picture ends, if there is any, and when the last packet of any kind does.

    begin: seconds on the file's own clock to look from; the whole file is read if None.
    """
    picture_end: float | None = None
    last = 0.0
    with open_container(path) as container:
        track = picture_track(container)
        assert track is not None
        length = 1 / picture_rate(track)
        try:
            if begin is not None:
                container.seek(int(max(0.0, begin) * av.time_base))
            for packet in container.demux(track, *container.streams.audio):
                if not packet.size:
                    continue
                stamp = packet.dts if packet.pts is None else packet.pts
                own = packet.duration * packet.time_base if packet.duration else length
                end = last + float(length) if stamp is None else float(stamp * packet.time_base + own)
                last = max(last, end)
                if packet.stream_index == track.index:
                    picture_end = max(picture_end or end, end)
        except av.error.FFmpegError:
            pass
    return picture_end, last
