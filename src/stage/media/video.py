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
from stage.media.clip_names import clip_name
from stage.media.decoding import FrameReader, timestamp
from stage.media.extent import film_extent
from stage.media.limits import check_duration, check_size
from stage.media.orientation import upright
from stage.media.tracks import open_container, track_notes, video_track
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Image

ROUNDING = 1e-3
"""Seconds of rounding error that the duration is allowed."""
FLOAT_ERROR = 1e-6
"""Frames by which sums of times may be off."""
SAMPLE_BYTES = 4 << 20
"""Bytes of each of the three samples that `fingerprint` reads."""
STILL_FORMATS = ("image2", "_pipe", "tty", "concat")


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes whenever a file is written."""

    size: int
    """In bytes."""
    modified: int
    """Time stamp in ns."""

    @classmethod
    def of(cls, path: Path) -> FileState:
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


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
    joined: bool = False
    """Whether its time stamps begin anew within it, as where captures are joined."""
    state: FileState | None = None
    """That of the file when it was opened."""

    @property
    def name(self) -> str:
        return clip_name(self.path)

    def model_frames(self) -> tuple[int, ...]:
        """The numbered frames that the model reads, one every two seconds to the film's end: 1, 7, 13, ..."""
        return tuple(range(1, self.frame_count + 1, MODEL_STRIDE))

    def scaled_size(self, longest_side: int | None) -> tuple[int, int]:
        """Width and height in pixels at which frames are decoded; never larger than the film's own size."""
        scale = min(1.0, longest_side / max(self.width, self.height)) if longest_side else 1.0
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    def frames(self, numbers: Sequence[int], longest_side: int | None = None) -> Iterator[tuple[int, Image]]:
        """Decode numbered frames, each once, in increasing order, one in memory at a time: (number, image) pairs.

        longest_side: scale larger frames down to this many pixels, see `scaled_size`. Numbers outside
        1..frame_count are omitted. A damaged frame is replaced by the last good one before it. Raises InputError
        if the file is gone, or has changed since it was opened.
        """
        wanted = [number for number in sorted(set(numbers)) if 1 <= number <= self.frame_count]
        size = self.scaled_size(longest_side)
        try:
            self._check_unchanged()
            with FrameReader(self.path, self.joined) as reader:
                for number in wanted:
                    frame = reader.frame_at(self.start + number / FRAMES_PER_SECOND)
                    self._check_unchanged()
                    if frame is None:
                        raise InputError(f"{self.path}: none of its frames can be decoded; open it again")
                    yield number, upright(frame, size)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: can no longer be read ({error.strerror}); open it again"
            ) from None

    def _check_unchanged(self) -> None:
        if self.state is not None and FileState.of(self.path) != self.state:
            raise InputError(
                f"{self.path}: has changed since it was opened: replaced, or still being written; open it again"
            )


def open_video(path: Path) -> Video:
    """Read the size and duration of a film file; only its first frame is decoded.

    Raises InputError if there is no such file, or it isn't a film, has no video track, or none that can be decoded,
    or if it is beyond the limits (stage.media.limits).
    """
    _check_file(path)
    try:
        state = FileState.of(path)
        with open_container(path) as container:
            track = _decodable_track(path, container)
            with FrameReader(path, joined=True) as reader:
                first = reader.frame_at(-math.inf)
            if first is None:
                raise InputError(f"{path}: none of its frames can be decoded; convert it to .mp4 with H.264")
            extent = film_extent(path, container, track, timestamp(first))
            check_duration(path, extent.duration)
            notes = (*track_notes(container, track), *extent.notes())
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: is not a readable film ({error.strerror}); is it complete?") from None
    height, width, _ = upright(first).shape
    frame_count = max(1, int((extent.duration + ROUNDING) * FRAMES_PER_SECOND + FLOAT_ERROR))
    return Video(
        path, width, height, extent.duration, frame_count, extent.start, notes, bool(extent.restarts), state
    )


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
    check_size(path, track.width, track.height)
    return track
