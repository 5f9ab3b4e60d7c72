"""Voices in sound: where somebody speaks, by Silero's detector, which faster-whisper carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from stage.speech.sentences import END, Word
from stage.speech.sound import RATE
from stage.types import Array

PIECE, SEARCHED = 300, 30
"""Seconds of a piece of sound at most, and the part of them at its end in which it is cut, at a pause."""
WINDOW = 512
"""Samples for which the detector gives one probability."""
VOICE = 0.5
"""The probability above which somebody speaks (Silero's own)."""
HEARD: Mapping[str, float] = {"threshold": VOICE, "min_silence_duration_ms": 1000, "speech_pad_ms": 300}
"""What Whisper hears: stretches with pauses of a second at most, and a bit of what is around them."""
EXACT: Mapping[str, float] = {"threshold": VOICE, "min_silence_duration_ms": 100, "speech_pad_ms": 30}
"""When words begin and end: stretches without pauses."""
SHORTEST_WORD = 0.05
"""Seconds of a word that is moved to where the voice begins or ends."""
LONGEST_STOP = 0.2
"""Seconds without a voice within a word, as before a plosive; a longer pause is between words."""
FARTHEST_END = 0.4
"""Seconds by which the end of a word is moved at most to where the voice ends."""


def stretches(samples: Array, options: Mapping[str, float]) -> list[tuple[float, float]]:
    """From when to when somebody speaks, in seconds from the first sample."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = get_speech_timestamps(samples, VadOptions(**options))
    return [(stretch["start"] / RATE, stretch["end"] / RATE) for stretch in found]


def at_voice(words: Sequence[Word], voices: Sequence[tuple[float, float]]) -> list[Word]:
    """Words that begin and end with the voice, where Whisper counts the silence around them to them, or ends early.

    A word in which there is a pause is spoken on the longer side of it, and one that opens a sentence after it.
    voices: the stretches in which somebody speaks, in order; times are in the same seconds.
    """
    starts = np.array([start for start, _ in voices])
    ends = np.array([end for _, end in voices])
    moved = []
    for number, word in enumerate(words):
        following = words[number + 1].start if number + 1 < len(words) else np.inf
        place = int(np.searchsorted(ends, word.start + SHORTEST_WORD, "right"))
        opens = number == 0 or END.search(words[number - 1].text.strip()) is not None
        while (  # the word begins at the end of a stretch, but is spoken in the next one
            place + 1 < len(voices)
            and starts[place + 1] - ends[place] >= LONGEST_STOP
            and word.end - starts[place + 1] > (SHORTEST_WORD if opens else ends[place] - word.start)
        ):
            place += 1
        if place < len(voices) and word.start < starts[place] < word.end - SHORTEST_WORD:
            word = replace(word, start=float(starts[place]))
        last = int(np.searchsorted(starts, word.end - SHORTEST_WORD, "left")) - 1
        if last >= 0 and word.start + SHORTEST_WORD < ends[last] < min(following, word.end + FARTHEST_END):
            word = replace(word, end=float(ends[last]))
        moved.append(word)
    return moved


def cut(blocks: Iterator[Array]) -> Iterator[Array]:
    """Pieces of at most `PIECE` seconds of sound that comes in blocks, cut where nobody speaks."""
    waiting: list[Array] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        while size >= PIECE * RATE:
            samples = np.concatenate(waiting)
            place = _pause(samples[: PIECE * RATE])
            yield samples[:place]
            waiting = [samples[place:]]
            size -= place
    if size:
        yield np.concatenate(waiting)


def _pause(samples: Array) -> int:
    """The place in the last `SEARCHED` seconds that is farthest from where somebody speaks."""
    from faster_whisper.vad import get_vad_model

    first = len(samples) - SEARCHED * RATE
    windows = SEARCHED * RATE // WINDOW
    searched = samples[first : first + windows * WINDOW].copy()  # the detector overwrites its end
    voice = get_vad_model()(searched).reshape(-1)
    distance = np.full(windows, windows)  # in windows, from the nearest one with a voice, or from either end
    for order in (range(windows), range(windows - 1, -1, -1)):
        since = 0
        for window in order:
            since = 0 if voice[window] >= VOICE else since + 1
            distance[window] = min(distance[window], since)
    best = int(distance.argmax()) if distance.any() else int(voice.argmin())
    return first + best * WINDOW + WINDOW // 2
