"""Subtitle and frame count files of a whole data set, in TVQA+'s formats."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json
from stage.types import Sentence
from stage.wording import counted

END_OF_SENTENCE = "<eos>"
"""Separates the sentences of a clip's sub_text."""
LAST_SENTENCE_SECONDS = 3.0
"""Duration of a clip's last sentence, if ends are not specified."""


def read_subtitles(path: Path) -> dict[str, tuple[Sentence, ...]]:
    """Clip -> its sentences, from {clip: {sub_text, sub_time [, sub_end]}}; times in seconds.

    Without sub_end, a sentence ends when the next one starts, and the last after 3 seconds. Raises InputError
    naming the file and the clip.
    """
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: contains no subtitles; it should map clips to sub_text and sub_time")
    return {clip: _sentences(path, clip, entry) for clip, entry in raw.items()}


def _sentences(path: Path, clip: str, entry: Any) -> tuple[Sentence, ...]:
    try:
        starts = [float(start) for start in entry["sub_time"]]
        texts = [text.strip() for text in entry["sub_text"].split(END_OF_SENTENCE)] if starts else []
        following = [max(a, b) for a, b in pairwise(starts)]
        ends = [
            float(end)
            for end in entry.get("sub_end") or [*following, *(s + LAST_SENTENCE_SECONDS for s in starts[-1:])]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}, clip {clip}: subtitles can't be read ({reason})") from None
    if not all(map(math.isfinite, starts + ends)):
        raise InputError(f"{path}, clip {clip}: a time is not a number of seconds")
    if not len(starts) == len(texts) == len(ends):
        sentences, times = counted(len(texts), "sentence"), counted(len(starts), "start time")
        raise InputError(f"{path}, clip {clip}: has {sentences}, but {times}")
    return tuple(Sentence(*row) for row in zip(starts, ends, texts, strict=True))


def read_frame_counts(path: Path) -> dict[str, int]:
    """Clip -> how many numbered frames it has (3 per second). Raises InputError naming the file and the clip."""
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: should map clips to their frame counts at 3 frames per second")
    for clip, count in raw.items():
        if type(count) is not int or count < 1:
            raise InputError(
                f"{path}, clip {clip}: frame count is {count!r}; it must be a positive integer (3 frames per second)"
            )
    return raw
