"""Decoding and seeking: frames of a film at given times, decoding few others.

A frame depends on those before it, back to the last keyframe. Reading packets is cheap, decoding them is not:
packets that a later keyframe makes unnecessary are dropped undecoded. Only long jumps seek, since where a seek
lands differs from container to container, and the landing point is checked.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stage.errors import InputError
from stage.media.clock import FrameClock, PacketClock, counts_frames
from stage.media.limits import MOST_PIXELS
from stage.media.tracks import frame_rate, open_container, packets_of, video_track

SEEK_AHEAD = 20.0
"""Seconds; a time further ahead than this is reached by seeking, a nearer one by reading on."""
SEEK_MARGIN = 3.0
"""Seconds by which a seek aims early: in some containers it lands between keyframes."""
MAX_PENDING = 2000
"""Undecoded packets held at most, which bounds memory in films with few keyframes."""
MAX_ROUNDING = 0.02
"""Seconds of rounding error in time stamps that are allowed for at most."""


def timestamp(frame: VideoFrame) -> float:
    """When a frame is shown: seconds on the file's own clock."""
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


class FrameReader:
    """Reads the frames of a film at increasing times, with one or two of them in memory.

    Films without time stamps are assumed to show `frame_rate` frames per second from 0. They are decoded in full, and
    so are those whose frames have to be counted (see `counts_frames`).
    """

    def __init__(self, path: Path, joined: bool = False) -> None:
        """joined: whether time stamps begin anew within the film. It is read without seeking then.

        Raises av's errors if the file can't be read, and InputError if stamps of a film that isn't `joined` go back.
        """
        self._path = path
        self._joined = joined
        self._skips = True
        self._seeks = not joined
        self._open()

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def frame_at(self, time: float) -> VideoFrame | None:
        """The last frame that begins by `time` (seconds on the file's own clock) plus half a frame's duration.

        The first frame for times before it; None if the film has no frame that can be decoded. `time` must not
        be less than in the previous call.
        """
        time += self._rounding
        jumped = self._jump(time)
        self._decode_until(time)
        if jumped and self._current is None:  # the keyframe couldn't be decoded on its own: decode everything
            self._seeks = self._skips = False
            self._reopen()
            self._decode_until(time)
        return self._current or self._following

    def _open(self) -> None:
        self._container = open_container(self._path)
        track = video_track(self._container)
        assert track is not None
        self._track = track
        self._track.thread_type = "AUTO"
        track.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # frames may differ from the header
        if counts_frames(self._container, track):
            self._seeks = self._skips = False
        self._rounding = min(0.5 / float(frame_rate(track)), MAX_ROUNDING)
        self._position = (self._container.start_time or 0) / av.time_base
        self._reset()

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def _reset(self) -> None:
        """Restart from the container's current position."""
        self._packets = packets_of(self._container, self._track)
        self._packet_clock = PacketClock(self._container, self._track)
        self._frame_clock = FrameClock(self._container, self._track)
        self._pending: deque[Packet[VideoStream]] = deque()
        self._reset_frames()

    def _reset_frames(self) -> None:
        self._decoded: deque[VideoFrame] = deque()
        self._current: VideoFrame | None = None
        self._following: VideoFrame | None = None

    def _jump(self, time: float) -> bool:
        """Go to the last keyframe before `time`; False if decoding simply continues."""
        sought = self._seeks and time - self._position > SEEK_AHEAD and self._seek(time)
        return (self._skips and self._skip(time)) or sought

    def _seek(self, time: float) -> bool:
        """Seek to the last keyframe before `time`; if that fails, go back to the film's beginning, return False."""
        target = int((time - SEEK_MARGIN) * av.time_base)
        try:
            self._container.seek(target)
            self._reset()
            self._position = -np.inf
            if self._skip(time):
                return True
        except av.error.FFmpegError:
            pass
        self._seeks = False
        self._reopen()
        return False

    def _skip(self, time: float) -> bool:
        """Read up to `time`, dropping the packets before the last keyframe there; False if there is none."""
        found = False
        waiting, self._pending = self._pending, deque()
        while packet := waiting.popleft() if waiting else self._read_until(time):
            if packet.is_keyframe and packet.pts is not None and packet.pts * packet.time_base <= time:
                self._pending.clear()
                found = True
            self._pending.append(packet)
        if found:
            self._track.codec_context.flush_buffers()
            self._reset_frames()
        return found

    def _read_until(self, time: float) -> Packet[VideoStream] | None:
        return self._read() if self._position <= time and len(self._pending) < MAX_PENDING else None

    def _read(self) -> Packet[VideoStream] | None:
        """The next packet; None at the end, or where the file is truncated."""
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError:
            return None
        if packet is not None:
            self._packet_clock.place(packet)
            if self._packet_clock.restarts and not self._joined:
                raise InputError(
                    f"{self._path}: its time stamps begin anew after {self._packet_clock.restarts[0]:.1f} s; "
                    "convert it to .mp4 with H.264"
                )
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is not None:
                self._position = float(stamp * packet.time_base)
            elif packet.size:  # no time stamps: frames have to be counted
                self._seeks = self._skips = False
                self._position = np.inf
        return packet

    def _decode_until(self, time: float) -> None:
        while (frame := self._following or self._next()) is not None:
            self._following = frame
            if timestamp(frame) > time:
                return
            self._current, self._following = frame, None

    def _next(self) -> VideoFrame | None:
        """The next frame in the order of display; damaged packets are skipped."""
        while not self._decoded:
            packet = self._pending.popleft() if self._pending else self._read()
            if packet is None:
                return None
            self._frame_clock.feed(packet)
            try:
                self._decoded.extend(self._track.decode(packet))
            except av.error.FFmpegError:
                continue
        frame = self._decoded.popleft()
        self._frame_clock.complete(frame)
        return frame
