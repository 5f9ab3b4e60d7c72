"""Film files as containers of tracks: opening one, and which of its picture tracks is the film's."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

DEFAULT_RATE = Fraction(25)
"""Frames per second of a film that doesn't specify it."""
STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Cover art and previews, which are stored as picture tracks."""
NEARLY_SQUARE = 0.01
"""A difference of a pixel's sides up to which it counts as square, as a share: sizes are rounded."""


def open_container(path: Path) -> InputContainer:
    """Open this file and no other: a playlist in it can't lead to the network."""
    return av.open(str(path.absolute()), metadata_errors="ignore", options={"protocol_whitelist": "file"})


def video_track(container: InputContainer) -> VideoStream | None:
    """The picture track that is the film: one that can be decoded, the default one, the largest, the first.

    In this order; cover art and previews don't count.
    """
    return max(_picture_tracks(container), key=_preference, default=None)


def packets_of(
    container: InputContainer, *tracks: VideoStream | AudioStream | SubtitleStream
) -> Iterator[Packet[Any]]:
    """The packets of tracks in the order of the file, then an empty one for each. Raises av's errors."""
    try:
        yield from container.demux(*tracks)
    except IndexError:  # PyAV's end of a file with tracks that its beginning doesn't have
        return


def frame_rate(track: VideoStream) -> Fraction:
    """Frames per second, as specified in the file."""
    return track.guessed_rate or track.average_rate or DEFAULT_RATE


def track_notes(container: InputContainer, track: VideoStream) -> Iterator[str]:
    """Messages to the user: which of several picture tracks is used, and that its pixels aren't square."""
    others = len(list(_picture_tracks(container))) - 1
    width, height = track.width, track.height
    if others > 0:
        default = ", the default one" if track.disposition & Disposition.default else ""
        yield (
            f"the film has {others + 1} picture tracks; track {track.index} ({width} x {height}{default}) is used"
        )
    sides = track.sample_aspect_ratio
    if sides and abs(sides - 1) > NEARLY_SQUARE:
        yield (
            f"the film's pixels aren't square ({sides.numerator}:{sides.denominator}): it is stored as {width} x "
            f"{height}, and shown as {round(width * sides)} x {height}; frames and boxes are in stored pixels"
        )


def _picture_tracks(container: InputContainer) -> Iterator[VideoStream]:
    return (track for track in container.streams.video if not track.disposition & STILLS)


def _preference(track: VideoStream) -> tuple[bool, bool, int]:
    if track.codec_context is None:  # its codec is unknown
        return False, False, 0
    return True, bool(track.disposition & Disposition.default), track.width * track.height
