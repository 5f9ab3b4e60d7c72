"""Video files: opened and probed, then read as numbered frames.

Numbered frame k is what the film shows k / 3 seconds after its beginning: the last frame whose time stamp is at
most that plus half a frame's duration (0.02 s at most), because time stamps are rounded.
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
    FrameReader,
    frame_rate,
    open_container,
    timestamp,
    upright,
    video_track,
)
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Image

MAX_MODEL_FRAMES = 300
"""The most frames that a model reads by default: ten minutes of film."""
ROUNDING = 1e-3
"""Seconds of rounding error that the duration is allowed."""
TAIL = 5.0
"""Seconds before the announced end from which the end of the film is searched for."""
MISSING_TOLERANCE = 1.0
"""Seconds by which a film may be shorter than announced without counting as truncated."""
AUDIO_PADDING = 0.1
"""Seconds; sound that leads the first frame by less is the encoder's padding and doesn't begin the film."""
SAMPLE_BYTES = 4 << 20
"""Bytes of each of the three samples that `fingerprint` reads."""
STILL_FORMATS = ("image2", "_pipe", "tty", "concat")


@dataclass(frozen=True, slots=True)
class Video:
    """A film that can be decoded. Nothing of it is held in memory."""

    path: Path
    width: int
    """Of the upright frames, in pixels. Boxes are in these pixels, whatever size frames are decoded at."""
    height: int
    duration: float
    """Seconds from the film's beginning to the end of its last readable frame."""
    frame_count: int
    """Numbered frames, 3 per second: 1..frame_count."""
    start: float
    """Seconds on the file's own clock when the film begins."""
    notes: tuple[str, ...] = ()
    """Messages to the user about what was wrong with the file and how it was repaired."""

    @property
    def name(self) -> str:
        return self.path.stem

    def model_frames(self, limit: int | None = MAX_MODEL_FRAMES) -> tuple[int, ...]:
        """The numbered frames that the model reads, one every two seconds: 1, 7, 13, ...

        limit: only the first so many; all of the film's if None.
        """
        return tuple(range(1, self.frame_count + 1, MODEL_STRIDE)[:limit])

    def scaled_size(self, longest_side: int | None) -> tuple[int, int]:
        """Width and height in pixels at which frames are decoded; never larger than the film's own size."""
        scale = min(1.0, longest_side / max(self.width, self.height)) if longest_side else 1.0
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    def frames(self, numbers: Sequence[int], longest_side: int | None = None) -> Iterator[tuple[int, Image]]:
        """Decode numbered frames, each once, in increasing order, one in memory at a time: (number, image) pairs.

        longest_side: scale larger frames down to this many pixels, see `scaled_size`. Numbers outside
        1..frame_count are omitted. A damaged frame is replaced by the last good one before it. Raises InputError
        if the file is gone, or has changed and can no longer be read.
        """
        wanted = [number for number in sorted(set(numbers)) if 1 <= number <= self.frame_count]
        size = self.scaled_size(longest_side)
        try:
            with FrameReader(self.path) as reader:
                for number in wanted:
                    frame = reader.frame_at(self.start + number / FRAMES_PER_SECOND)
                    if frame is None:
                        return
                    yield number, upright(frame, size)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: can no longer be read ({error.strerror}); open it again"
            ) from None


def open_video(path: Path) -> Video:
    """Read the size and duration of a film file; only its first frame is decoded.

    Raises InputError if there is no such file, or it isn't a film, has no video track, or none that can be decoded.
    """
    _check_file(path)
    try:
        with open_container(path) as container:
            track = _decodable_track(path, container)
            with FrameReader(path) as reader:
                first = reader.frame_at(-math.inf)
            if first is None:
                raise InputError(f"{path}: none of its frames can be decoded; convert it to .mp4 with H.264")
            start = _film_start(container, timestamp(first))
            announced = _announced_end(container, track)
        end, complete = _film_end(path, start, announced)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: is not a readable film ({error.strerror}); is it complete?") from None
    duration = max(end, timestamp(first)) - start
    height, width, _ = upright(first).shape
    frame_count = max(1, int((duration + ROUNDING) * FRAMES_PER_SECOND))
    truncated = (
        f"{path.name} breaks off before its announced end; the {duration:.1f} s that can be read are used"
    )
    return Video(path, width, height, duration, frame_count, start, () if complete else (truncated,))


def fingerprint(path: Path) -> str:
    """A hash of a film's content: the first 32 hex digits of the SHA-256 of its size and three samples of 4 MB.

    The samples are its beginning, middle and end. Files of equal size that differ only elsewhere get the same
    fingerprint. Raises InputError if the file can't be read.
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
        raise InputError(f"{path}: is a single image or a text, not a film; give a film file")
    track = video_track(container)
    if track is None:
        sound = " (sound only)" if container.streams.audio else ""
        raise InputError(f"{path}: has no video track{sound}; give a film with pictures")
    if track.codec_context is None:
        raise InputError(f"{path}: its video codec is unknown; convert it to .mp4 with H.264")
    return track


def _film_start(container: InputContainer, first: float) -> float:
    """Seconds on the file's own clock from which its times, including its subtitles', are counted.

    first: the time stamp of the first frame.
    """
    announced = first if container.start_time is None else container.start_time / av.time_base
    return announced if announced < first - AUDIO_PADDING else first


def _film_end(path: Path, start: float, announced: float | None) -> tuple[float, bool]:
    """Seconds on the file's own clock when the last frame ends, and whether the file is as long as announced.

    No header is trusted: the packets decide, those at the announced end first. Only if there are none, the whole
    file is read (not decoded).
    """
    if announced is not None:
        end, reached = _read_to_end(path, announced - TAIL)
        if end is not None and reached >= announced - MISSING_TOLERANCE:
            return end, True
    end, reached = _read_to_end(path, None)
    return start if end is None else end, announced is None or reached >= announced - MISSING_TOLERANCE


def _announced_end(container: InputContainer, track: VideoStream) -> float | None:
    """The end that the headers announce, in seconds on the file's own clock; None if they announce none."""
    if track.duration and track.time_base:
        return float(((track.start_time or 0) + track.duration) * track.time_base)
    if container.duration:
        return ((container.start_time or 0) + container.duration) / av.time_base
    return None


def _read_to_end(path: Path, begin: float | None) -> tuple[float | None, float]:
    """When the last frame ends (None without frames), and when the last packet of any kind does.

    begin: seconds on the file's own clock to read from; the whole file is read if None.
    """
    frame_end: float | None = None
    last = 0.0
    with open_container(path) as container:
        track = video_track(container)
        assert track is not None
        length = 1 / frame_rate(track)
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
                    frame_end = max(frame_end or end, end)
        except av.error.FFmpegError:
            pass
    return frame_end, last
