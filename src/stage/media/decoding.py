"""The pictures of a film at chosen times, decoding as few others as can be.

Pictures depend on those before them, back to the last key picture. Films are read packet by packet, which is
cheap; packets that a later key picture makes needless are dropped undecoded. Only far leaps are sought, since
what a seek finds differs from container to container, and where it lands is checked.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stage.types import Image

SEEK_AHEAD = 20.0
"""Seconds; what is further ahead is sought, what is nearer is read up to."""
SEEK_MARGIN = 3.0
"""Seconds by which a seek aims early: some containers land between key pictures."""
MOST_PENDING = 2000
"""Packets that wait undecoded at most, which bounds memory in films with few key pictures."""
LONGEST_ROUNDING = 0.02
USUAL_RATE = Fraction(25)


def open_container(path: Path) -> InputContainer:
    """Open a file for reading, and no other: playlists in it can't lead to the network."""
    return av.open(str(path.absolute()), metadata_errors="ignore", options={"protocol_whitelist": "file"})


def picture_track(container: InputContainer) -> VideoStream | None:
    """The first track of moving pictures; the cover of an album is none."""
    tracks = (t for t in container.streams.video if not t.disposition & av.stream.Disposition.attached_pic)
    return next(tracks, None)


def picture_rate(track: VideoStream) -> Fraction:
    """Pictures a second, as far as the file says."""
    return track.guessed_rate or track.average_rate or USUAL_RATE


def seconds(picture: VideoFrame) -> float:
    """When a picture is shown, on the file's own clock."""
    assert picture.pts is not None
    assert picture.time_base is not None
    return float(picture.pts * picture.time_base)


def upright(picture: VideoFrame, size: tuple[int, int] | None = None) -> Image:
    """A picture as (height, width, 3) RGB, turned as the camera was held, scaled to (width, height)."""
    turns = round(picture.rotation / 90) % 4
    width, height = size or (None, None)
    if turns % 2:
        width, height = height, width
    pixels = (
        picture.reformat(width=width, height=height, format="rgb24").to_ndarray().astype(np.uint8, copy=False)
    )
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


class PictureReader:
    """Gives the pictures of a film at increasing times; holds one or two of them in memory.

    Films without time stamps are taken to show `picture_rate` pictures a second from 0.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seeks = self._skips = True
        self._open()

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def picture_at(self, time: float) -> VideoFrame | None:
        """The last picture that begins at `time` (seconds on the file's own clock) plus half a picture's length.

        The first picture for times before it; none if the film has no picture that can be decoded. `time` must
        not be less than in the call before.
        """
        time += self._rounding
        leapt = self._leap(time)
        self._decode_until(time)
        if leapt and self._shown is None:  # this key picture was none: nothing can be left out
            self._seeks = self._skips = False
            self._reopen()
            self._decode_until(time)
        return self._shown or self._ahead

    def _open(self) -> None:
        self._container = open_container(self._path)
        track = picture_track(self._container)
        assert track is not None
        self._track = track
        self._track.thread_type = "AUTO"
        self._rounding = min(0.5 / float(picture_rate(track)), LONGEST_ROUNDING)
        self._position = (self._container.start_time or 0) / av.time_base
        self._counted = 0
        self._forget()

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def _forget(self) -> None:
        """Start anew where the container stands."""
        self._packets = self._container.demux(self._track)
        self._pending: deque[Packet[VideoStream]] = deque()
        self._forget_pictures()

    def _forget_pictures(self) -> None:
        self._decoded: deque[VideoFrame] = deque()
        self._shown: VideoFrame | None = None
        self._ahead: VideoFrame | None = None

    def _leap(self, time: float) -> bool:
        """Go to the last key picture before `time`; False if decoding simply goes on."""
        sought = self._seeks and time - self._position > SEEK_AHEAD and self._seek(time)
        return (self._skips and self._skip(time)) or sought

    def _seek(self, time: float) -> bool:
        """Go somewhere before a key picture that is shown before `time`, or back to the film's beginning."""
        target = int((time - SEEK_MARGIN) * av.time_base)
        try:
            self._container.seek(target)
            self._forget()
            self._position = -np.inf
            if self._skip(time):
                return True
        except av.error.FFmpegError:
            pass
        self._seeks = False
        self._reopen()
        return False

    def _skip(self, time: float) -> bool:
        """Read up to `time`, dropping what precedes the last key picture there; False if there is none."""
        found = False
        waiting, self._pending = self._pending, deque()
        while packet := waiting.popleft() if waiting else self._read_until(time):
            if packet.is_keyframe and packet.pts is not None and packet.pts * packet.time_base <= time:
                self._pending.clear()
                found = True
            self._pending.append(packet)
        if found:
            self._track.codec_context.flush_buffers()
            self._forget_pictures()
        return found

    def _read_until(self, time: float) -> Packet[VideoStream] | None:
        return self._read() if self._position <= time and len(self._pending) < MOST_PENDING else None

    def _read(self) -> Packet[VideoStream] | None:
        """The next packet; none at the end, or where the file breaks off."""
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError:
            return None
        if packet is not None:
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is not None:
                self._position = float(stamp * packet.time_base)
            elif packet.size:  # no time stamps: pictures have to be counted
                self._seeks = self._skips = False
                self._position = np.inf
        return packet

    def _decode_until(self, time: float) -> None:
        while (picture := self._ahead or self._next()) is not None:
            self._ahead = picture
            if seconds(picture) > time:
                return
            self._shown, self._ahead = picture, None

    def _next(self) -> VideoFrame | None:
        """The next picture in the order they are shown; damaged packets are passed over."""
        while not self._decoded:
            packet = self._pending.popleft() if self._pending else self._read()
            if packet is None:
                return None
            try:
                self._decoded.extend(self._track.decode(packet))
            except av.error.FFmpegError:
                continue
        picture = self._decoded.popleft()
        if picture.pts is None:
            picture.pts, picture.time_base = self._counted, 1 / picture_rate(self._track)
        self._counted += 1
        return picture
