"""The extent of a film: where it begins and ends on its own clock, by its packets rather than its headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from stage.media.clock import FORWARD, PacketClock, may_restart
from stage.media.tracks import open_container, packets_of, video_track

TAIL = 5.0
"""Seconds before the announced end from which the end of the film is searched for."""
MISSING_TOLERANCE = 1.0
"""Seconds by which a film may be shorter than announced without counting as truncated."""
AUDIO_PADDING = 0.1
"""Seconds; sound that leads the first frame by less is the encoder's padding and doesn't begin the film."""
MOST_UNREAD = 0.1
"""Share of a file behind its last picture that is nothing to note."""
MOST_INDEX = 256 << 10
"""Bytes behind a film's last picture that its index may take, whatever their share."""
MOST_PADDING = 32 << 10
"""The same in containers without an index."""
SHOWN_PLACES = 3
"""Maximum number of times that a note lists."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a film begins and ends. All times are seconds on the file's own clock, made continuous."""

    start: float
    """When the film begins: its first picture, or sound before it."""
    end: float
    """When its last picture ends."""
    complete: bool
    """Whether it is as long as its headers announce."""
    restarts: tuple[float, ...] = ()
    """When its time stamps begin anew, as where captures are joined."""
    pauses: tuple[tuple[float, float], ...] = ()
    """From when to when no picture is stored for long; those that were seen."""
    unread: float = 0.0
    """The part of the file behind its last picture and sound, as a share."""

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.end - self.start

    def notes(self) -> Iterator[str]:
        """Messages to the user about what is irregular in the film's times."""
        if self.restarts:
            places = _listed([f"{time - self.start:.1f} s" for time in self.restarts])
            yield (
                f"the film's time stamps begin anew after {places}, as in joined recordings; it is read as one, the "
                "times of each part following those of the part before"
            )
        if self.pauses:
            places = _listed([f"{a - self.start:.1f} to {b - self.start:.1f} s" for a, b in self.pauses])
            yield (
                f"the film has no new picture for more than {float(FORWARD):.0f} s, from {places}; the one before is "
                "shown until then"
            )
        if self.unread:
            yield (
                f"the last {self.unread:.0%} of the file contain nothing of the film and are not read: has another "
                "film, or another track, been joined to it?"
            )
        if not self.complete:
            yield (
                f"the film breaks off before its announced end; the {self.duration:.1f} s that can be read are used"
            )


@dataclass(slots=True)
class _Reading:
    """What was found in a film's packets, from some place on."""

    clock: PacketClock
    firsts: dict[int, float] = field(default_factory=dict)
    """Track -> when its first packet begins."""
    last: float = 0.0
    """When the last packet ends."""
    stored: int | None = None
    """Where it ends in the file, in bytes; None where that isn't known."""

    def take(self, packet: Packet[VideoStream | AudioStream], track: VideoStream) -> None:
        """Add the next packet of the film's picture track, or of a sound track."""
        if packet.pos is not None:
            self.stored = max(self.stored or 0, packet.pos + packet.size)
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            begin = float(stamp * packet.time_base)
            self.firsts.setdefault(packet.stream_index, begin)
            self.last = max(self.last, begin + float((packet.duration or 0) * packet.time_base))
        if packet.stream_index == track.index:
            self.clock.place(cast("Packet[VideoStream]", packet))
            self.last = max(self.last, self.clock.end or 0.0)


def film_extent(path: Path, container: InputContainer, track: VideoStream, first: float) -> Extent:
    """Find a film's beginning and end; nothing is decoded.

    first: the time stamp of the first frame. The packets at the announced end decide. If there are none, or time
    stamps may begin anew in files of this format, the whole file is read. Raises av's errors if it can't be opened.
    """
    announced = _announced_end(container, track)
    restartable = may_restart(container)
    reading = None
    if announced is not None and not restartable:
        reading = _read(path, announced - TAIL)
    if reading is None or not _reaches(reading, announced) or reading.clock.restarts:
        reading = _read(path, None)
    clock = reading.clock
    begin = min(reading.firsts.values(), default=first) if clock.restarts else _announced_start(container)
    start = begin if begin is not None and begin < first - AUDIO_PADDING else first
    return Extent(
        start,
        max(first if clock.end is None else clock.end, first),
        restartable or announced is None or _reaches(reading, announced),
        tuple(clock.restarts),
        tuple(clock.pauses),
        _unread(path.stat().st_size, reading.stored, MOST_PADDING if restartable else MOST_INDEX),
    )


def _unread(size: int, stored: int | None, usual: int) -> float:
    """The share of a file that is no part of the film; 0 if it is a usual number of bytes."""
    rest = 0 if stored is None else size - stored
    return rest / size if rest > max(usual, MOST_UNREAD * size) else 0.0


def _announced_start(container: InputContainer) -> float | None:
    return None if container.start_time is None else container.start_time / av.time_base


def _announced_end(container: InputContainer, track: VideoStream) -> float | None:
    """The end that the headers announce, in seconds on the file's own clock; None if they announce none."""
    if track.duration and track.time_base:
        return float(((track.start_time or 0) + track.duration) * track.time_base)
    if container.duration:
        # Matroska's duration is that of the clock at the end, as ffmpeg writes it.
        begin = 0 if "matroska" in container.format.name else container.start_time or 0
        return (begin + container.duration) / av.time_base
    return None


def _reaches(reading: _Reading, announced: float | None) -> bool:
    return reading.clock.end is not None and (
        announced is None or reading.last >= announced - MISSING_TOLERANCE
    )


def _read(path: Path, begin: float | None) -> _Reading:
    """Read the packets of pictures and sound, up to where the file can't be read any more.

    begin: seconds on the file's own clock to read from; the whole file is read if None.
    """
    with open_container(path) as container:
        track = video_track(container)
        assert track is not None
        reading = _Reading(PacketClock(container, track))
        try:
            if begin is not None:
                container.seek(int(max(0.0, begin) * av.time_base))
            for packet in packets_of(container, track, *container.streams.audio):
                if packet.size:
                    reading.take(packet, track)
        except av.error.FFmpegError:
            pass
    return reading


def _listed(places: list[str]) -> str:
    more = len(places) - SHOWN_PLACES
    return ", ".join(places[:SHOWN_PLACES]) + (f" and {more} times more" if more > 0 else "")
