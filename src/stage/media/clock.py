"""The clock of a film: time stamps of packets that restart, and of frames that lack them, made continuous.

Where captures are joined, the stamps of the second begin anew. Its first picture then follows the last one of the
first, as in ffmpeg.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stage.media.tracks import frame_rate

BACKWARD = Fraction(1, 10)
"""Seconds; stamps of decoding that go back by more begin anew, in containers that may begin anew."""
BACKWARD_ELSEWHERE = Fraction(1)
"""The same in others, where libavformat makes up some of these stamps."""
FORWARD = Fraction(10)
"""Seconds; a longer time without a picture is a pause, and in containers that may begin anew a new beginning."""
DISCONTINUOUS = 0x0200
"""libavformat's AVFMT_TS_DISCONT: stamps may begin anew in files of the format."""
WITHOUT_DISPLAY_TIMES = {"avi", "asf", "mxf"}
"""Containers that only have stamps of decoding."""
REORDERING_CODECS = {"h264", "hevc"}
"""Codecs whose order of display can't be told from packets; libavformat then makes up wrong display times."""
REORDERED = 16
"""Frames by which the orders of decoding and display differ at most."""


def may_restart(container: InputContainer) -> bool:
    """Whether stamps may begin anew in files of this format, such as MPEG-TS."""
    return bool(container.format.flags & DISCONTINUOUS)


class PacketClock:
    """Makes the stamps of a picture track's packets continuous; packets are given in the order of the file."""

    def __init__(self, container: InputContainer, track: VideoStream) -> None:
        self.restarts: list[float] = []
        """When stamps begin anew, in continuous seconds on the file's own clock."""
        self.pauses: list[tuple[float, float]] = []
        """From when to when no picture is stored, likewise."""
        self._may_restart = may_restart(container)
        self._counts = counts_frames(container, track)
        self._unit = track.time_base or Fraction(1, av.time_base)
        self._backward = round((BACKWARD if self._may_restart else BACKWARD_ELSEWHERE) / self._unit)
        self._forward = round(FORWARD / self._unit)
        self._length = round(1 / (frame_rate(track) * self._unit))
        self._offset = 0
        self._last: int | None = None
        self._end: int | None = None

    @property
    def end(self) -> float | None:
        """When the last picture ends, in continuous seconds on the file's own clock; None if there is none."""
        return None if self._end is None else self._seconds(self._end)

    def place(self, packet: Packet[VideoStream]) -> None:
        """Replace the stamps of a packet by continuous ones."""
        if not packet.size:
            return
        length = self._length
        if self._counts:
            packet.pts = packet.dts
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            begin = 0 if self._end is None else self._end
        else:
            self._follow(packet.dts, stamp)
            packet.dts = None if packet.dts is None else packet.dts + self._offset
            packet.pts = None if packet.pts is None else packet.pts + self._offset
            begin = stamp + self._offset
            length = length if self._counts else packet.duration or length
        self._end = begin + length if self._end is None else max(self._end, begin + length)

    def _follow(self, dts: int | None, shown: int) -> None:
        """Find out whether the stamps of the next packet begin anew; they are given as in the file."""
        if self._last is not None and self._end is not None:
            step = (shown if dts is None else dts) - self._last
            begin = shown + self._offset
            if step < -self._backward or (begin - self._end > self._forward and self._may_restart):
                self._offset = self._end - shown
                self._last = None
                self.restarts.append(self._seconds(self._end))
            elif begin - self._end > self._forward:
                self.pauses.append((self._seconds(self._end), self._seconds(begin)))
        if dts is not None:
            self._last = dts

    def _seconds(self, ticks: int) -> float:
        return float(ticks * self._unit)


class FrameClock:
    """Completes the stamps of decoded frames, which are given in the order of display."""

    def __init__(self, container: InputContainer, track: VideoStream) -> None:
        self._rate = frame_rate(track)
        self._counts = counts_frames(container, track)
        self._stamps: list[int] = []  # of decoding, of the packets since the last seek
        self._position = -1  # the last frame's place in the order of display, an index of these
        self._recent: deque[int] = deque(maxlen=REORDERED)
        self._last: tuple[int | None, Fraction | None] = None, None

    def feed(self, packet: Packet[VideoStream]) -> None:
        """Take note of a packet that is to be decoded."""
        if not self._counts or not packet.size:
            return
        if packet.pts is not None:
            self._stamps.append(packet.pts)
        elif self._stamps:  # libavformat loses one after seeking in ASF
            self._stamps.append(self._stamps[-1] + round(1 / (self._rate * packet.time_base)))

    def complete(self, frame: VideoFrame) -> None:
        """Give a frame the stamp that is missing, or that belongs to another one."""
        if self._counts and self._stamps:
            frame.pts = self._in_order_of_display(frame)
        elif frame.pts is None:
            self._supply(frame)
        self._last = frame.pts, frame.time_base

    def _supply(self, frame: VideoFrame) -> None:
        """A frame without a stamp follows the last one; those of a film without any are counted from 0."""
        last, unit = self._last
        if last is None:
            frame.pts, frame.time_base = 0, 1 / self._rate
        elif unit == 1 / self._rate:
            frame.pts, frame.time_base = last + 1, unit
        else:
            assert frame.time_base is not None
            frame.pts = last + (frame.duration or round(1 / (self._rate * frame.time_base)))

    def _in_order_of_display(self, frame: VideoFrame) -> int:
        """The n-th frame that is shown has the n-th stamp; after a lost frame, from the next key frame on."""
        self._position += 1
        if frame.pts is not None:
            if frame.key_frame:
                ahead = sum(stamp > frame.pts for stamp in self._recent)
                self._position = bisect_left(self._stamps, frame.pts) + ahead
            self._recent.append(frame.pts)
        return self._stamps[min(self._position, len(self._stamps) - 1)]


def counts_frames(container: InputContainer, track: VideoStream) -> bool:
    """Whether only the order of the frames tells when each is shown."""
    return container.format.name in WITHOUT_DISPLAY_TIMES and track.codec_context.name in REORDERING_CODECS
