"""The sound of a film: its track decoded to 16 kHz mono, on the clock that its frames and subtitles have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from stage.errors import InputError
from stage.media.clock import PacketClock
from stage.media.tracks import open_container, packets_of, video_track
from stage.media.video import Video
from stage.terminal import printable
from stage.types import Array
from stage.wording import counted

RATE = 16_000
"""Samples per second that are read: what Whisper and the voice detector hear."""
GAP = 0.1
"""Seconds by which sound may be off its time stamps before it is moved to them."""
NOTED_BEYOND = 1.0
"""Seconds of sound after the last picture; a film with more of it is noted."""
LONGEST_BLOCK = 30 * RATE
"""Samples of a block at most: a gap may be hours long."""
BESIDE = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions | Disposition.karaoke
"""Tracks in which something else is said than in the film."""
Format = tuple[str, str, int]
"""Of a frame: sample format, channel layout, samples per second. A resampler takes one alone."""


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """The sound track of a film that is listened to. Nothing of it is held in memory."""

    video: Video
    index: int
    """Of the track in the file."""
    notes: tuple[str, ...] = ()
    """Messages to the user: which of several it is, and what of it is left out."""

    def blocks(self, begin: float = 0.0) -> Iterator[Array]:
        """The samples of the film from `begin` (seconds) to its end, at `RATE`, in [-1, 1], in arrays of any length.

        Where the track has no sound, or it can't be decoded, there is silence; sound before the film's beginning and
        after its last picture is left out. Raises InputError if the file can't be read.
        """
        written, first = 0, round(begin * RATE)
        last = round(self.video.duration * RATE)
        for place, samples in self._placed():
            stop = min(place, last)
            for start in range(written, stop, LONGEST_BLOCK):
                yield from _after(first, start, np.zeros(min(LONGEST_BLOCK, stop - start), np.float32))
            written = max(written, stop)
            fitting = samples[written - place : max(0, last - place)] if place <= written else samples[:0]
            yield from _after(first, written, fitting)
            written += len(fitting)
            if written >= last:
                return

    def _placed(self) -> Iterator[tuple[int, Array]]:
        """Runs of samples, each with the place (a number of samples from the film's beginning) of its first."""
        try:
            joins = _joins(self.video)
            with open_container(self.video.path) as container:
                yield from _runs(container, container.streams[self.index], joins, self.video.start)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.video.path}: can no longer be read ({error.strerror}); open it again"
            ) from None


def sound_track(video: Video) -> SoundTrack | None:
    """The film's sound track that can be decoded; None if it has none.

    Of several, one in which the film itself speaks is preferred to commentary and descriptions, then the default one,
    then the first. Raises InputError if the file can't be read.
    """
    try:
        with open_container(video.path) as container:
            tracks = [track for track in container.streams.audio if _can_be_decoded(track)]
            if not tracks:
                return None
            track = max(
                tracks, key=lambda t: (not t.disposition & BESIDE, bool(t.disposition & Disposition.default))
            )
            return SoundTrack(video, track.index, tuple(_notes(container, track, video, len(tracks))))
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{video.path}: can't be read ({error.strerror}); check the path of the film"
        ) from None


def _can_be_decoded(track: AudioStream) -> bool:
    return track.codec_context is not None and bool(track.sample_rate) and bool(track.channels)


def _notes(container: InputContainer, track: AudioStream, video: Video, number: int) -> Iterator[str]:
    """Messages to the user: which of several tracks is used, and that it goes on after the pictures."""
    if number > 1:
        code = track.language or "und"
        language = "" if code == "und" else f", {printable(code[:20])}"
        default = ", the default one" if track.disposition & Disposition.default else ""
        what = f"track {track.index} ({counted(track.channels, 'channel')}{language}{default})"
        yield f"the film has {number} sound tracks; {what} is used"
    if track.duration and track.time_base:
        end = float(((track.start_time or 0) + track.duration) * track.time_base)
        beyond = 0.0 if video.joined else end - video.start - video.duration
        if beyond > NOTED_BEYOND:
            yield f"the film's sound goes on for {beyond:.1f} s after its last picture; that is not heard"


def _after(first: int, place: int, samples: Array) -> Iterator[Array]:
    """The part of some samples at a place that isn't before the place `first`."""
    rest = samples[max(0, first - place) :]
    if len(rest):
        yield rest


def _joins(video: Video) -> list[float]:
    """For each part of a film whose time stamps begin anew: the seconds that are added to them."""
    shifts = [0.0]
    if not video.joined:
        return shifts
    with open_container(video.path) as container:
        track = video_track(container)
        assert track is not None
        clock = PacketClock(container, track)
        try:
            for packet in packets_of(container, track):
                stamp = packet.dts if packet.pts is None else packet.pts
                clock.place(packet)
                placed = packet.dts if packet.pts is None else packet.pts
                if len(clock.restarts) == len(shifts) and stamp is not None and placed is not None:
                    shifts.append(float((placed - stamp) * packet.time_base))
        except av.error.FFmpegError:
            pass
    return shifts


def _runs(
    container: InputContainer, track: object, joins: list[float], start: float
) -> Iterator[tuple[int, Array]]:
    """Decoded sound with its places; within a run of frames that follow each other they are counted, not read."""
    assert isinstance(track, AudioStream)
    run: _Run | None = None
    part = before = 0
    for frame in _frames(container, track):
        stamp = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        if stamp is not None:
            expected = stamp + joins[part] if run is None else run.end + start
            before = part
            while part + 1 < len(joins) and abs(stamp + joins[part + 1] - expected) < abs(
                stamp + joins[part] - expected
            ):
                part += 1
        begin = None if stamp is None else stamp + joins[part] - start
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if run is not None and part == before and run.goes_on(kind, begin):
            yield from run.add(frame)
            continue
        end = 0.0
        if run is not None:
            yield from run.add(None)
            end = run.end
        run = _Run(kind, end if begin is None else begin)
        yield from run.add(frame)
    if run is not None:
        yield from run.add(None)


def _frames(container: InputContainer, track: AudioStream) -> Iterator[AudioFrame]:
    """The frames of a track that can be decoded, up to where the file can't be read any more."""
    try:
        for packet in packets_of(container, track):
            try:
                for frame in track.decode(packet):
                    if frame.samples and frame.sample_rate:
                        yield frame
            except av.error.FFmpegError:
                continue
    except av.error.FFmpegError:
        return


class _Run:
    """Frames of one format that follow each other, resampled as one."""

    def __init__(self, kind: Format, begin: float) -> None:
        """begin: seconds from the film's beginning."""
        self._kind = kind
        self._begin = begin
        self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
        self._taken = self._given = 0

    @property
    def end(self) -> float:
        """When the sound taken so far ends, in seconds from the film's beginning."""
        return self._begin + self._taken / self._kind[2]

    def goes_on(self, kind: Format, begin: float | None) -> bool:
        """Whether a frame that begins then follows the last one; None if it has no time stamp."""
        return kind == self._kind and (begin is None or abs(begin - self.end) <= GAP)

    def add(self, frame: AudioFrame | None) -> Iterator[tuple[int, Array]]:
        """The samples that are complete with the next frame, or at the end (None), with their place."""
        if frame is not None:
            self._taken += frame.samples
            frame.pts = None
        try:
            resampled = self._resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):  # a format that libswresample doesn't take
            return
        for piece in resampled:
            samples = np.nan_to_num(piece.to_ndarray().reshape(-1)[: piece.samples].astype(np.float32))
            yield round(self._begin * RATE) + self._given, np.clip(samples, -1.0, 1.0)
            self._given += len(samples)
