"""Subtitle and frame count files of a whole data set, in TVQA+'s formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import OutputKind, read_json, write_json
from stage.media.clip_names import composed
from stage.media.limits import LONGEST_HOURS
from stage.types import FRAMES_PER_SECOND, MAX_SECONDS, Sentence
from stage.wording import counted, quoted

END_OF_SENTENCE = "<eos>"
"""Separates the sentences of a clip's sub_text."""
LAST_SENTENCE_SECONDS = 3.0
"""Duration of a clip's last sentence, if ends are not specified."""
MAX_FRAME_COUNT = LONGEST_HOURS * 60 * 60 * FRAMES_PER_SECOND
"""The largest frame count of a clip, as long as the longest film that is read."""


def read_subtitles(path: Path) -> dict[str, tuple[Sentence, ...]]:
    """Clip -> its sentences, from {clip: {sub_text, sub_time [, sub_end]}}; times in seconds.

    Without sub_end, a sentence ends when the next one starts, and the last after 3 seconds. Raises InputError
    naming the file and the clip.
    """
    return {clip: sentences_of(path, clip, entry) for clip, entry in subtitle_entries(path)}


def subtitle_entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The clips of a subtitle file, and what it has of each, unchecked. Raises InputError if it maps no clips."""
    return _entries(path, "contains no subtitles; it should map clips to sub_text and sub_time")


def sentences_of(path: Path, clip: str, entry: Any) -> tuple[Sentence, ...]:
    """The sentences of a clip's entry in a subtitle file. Raises InputError naming the file and the clip."""
    try:
        starts, texts = _numbers(entry["sub_time"], "sub_time"), entry["sub_text"].split(END_OF_SENTENCE)
        if not starts and not entry["sub_text"].strip():
            texts = []
        following = [max(a, b) for a, b in pairwise(starts)]
        assumed = [*following, *(s + LAST_SENTENCE_SECONDS for s in starts[-1:])]
        ends = _numbers(entry["sub_end"], "sub_end") if entry.get("sub_end") else assumed
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}, clip {clip}: subtitles can't be read ({reason})") from None
    if not all(-MAX_SECONDS < time < MAX_SECONDS for time in starts + ends):
        raise InputError(f"{path}, clip {clip}: a time is not a number of seconds below {MAX_SECONDS:,}")
    if not len(starts) == len(texts) == len(ends):
        given = f" and {counted(len(ends), 'end time')}" if entry.get("sub_end") else ""
        sentences, times = counted(len(texts), "sentence"), counted(len(starts), "start time")
        raise InputError(
            f"{path}, clip {clip}: has {sentences}, but {times}{given}; sentences are separated by {END_OF_SENTENCE}"
        )
    return tuple(
        Sentence(start, end, text.strip()) for start, end, text in zip(starts, ends, texts, strict=True)
    )


def subtitles_to_json(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """The entry of a clip in a subtitle file."""
    return {
        "sub_text": f" {END_OF_SENTENCE} ".join(sentence.text for sentence in sentences),
        "sub_time": [sentence.start for sentence in sentences],
        "sub_end": [sentence.end for sentence in sentences],
    }


def write_subtitles(path: Path, subtitles: Mapping[str, Sequence[Sentence]]) -> None:
    """Write the sentences of clips, with their ends."""
    write_json(path, {clip: subtitles_to_json(sentences) for clip, sentences in subtitles.items()})


def read_frame_counts(path: Path) -> dict[str, int]:
    """Clip -> how many numbered frames it has (3 per second). Raises InputError naming the file and the clip."""
    return {clip: frame_count_of(path, clip, count) for clip, count in frame_count_entries(path)}


def frame_count_entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The clips of a frame count file with their counts, unchecked. Raises InputError if it maps no clips."""
    return _entries(path, "should map clips to their frame counts at 3 frames per second")


def frame_count_of(path: Path, clip: str, count: Any) -> int:
    """A clip's frame count. Raises InputError naming the file and the clip if it isn't one."""
    if type(count) is not int or count < 1:
        raise InputError(
            f"{path}, clip {clip}: frame count is {quoted(count)}; it must be a positive integer (3 frames per "
            "second)"
        )
    if count > MAX_FRAME_COUNT:
        raise InputError(
            f"{path}, clip {clip}: frame count is {quoted(count)}; a film may have {MAX_FRAME_COUNT:,} frames "
            f"({LONGEST_HOURS} hours, 3 frames per second)"
        )
    return count


def _entries(path: Path, expected: str) -> Iterator[tuple[str, Any]]:
    """The clips of a file, their names composed, in its order. Raises InputError if it isn't an object of clips."""
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: {expected}")
    names = list(map(composed, raw))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: has clip {twice} twice, in two forms of Unicode (NFC and NFD); remove one")
    return zip(names, raw.values(), strict=True)


def _numbers(raw: Any, key: str) -> list[float]:
    if not isinstance(raw, list):
        raise TypeError(f"{key} is not a list of seconds")
    return list(map(float, raw))


def _maps_clips(path: Path, is_entry: Callable[[Any], bool]) -> bool:
    content = read_json(path)
    return isinstance(content, dict) and all(map(is_entry, content.values()))


SUBTITLES_FILE = OutputKind(
    "a file of the clips' subtitles",
    lambda path: _maps_clips(path, lambda entry: isinstance(entry, dict) and "sub_text" in entry),
)
FRAMES_FILE = OutputKind(
    "a file of the clips' frame counts", lambda path: _maps_clips(path, lambda count: type(count) is int)
)
