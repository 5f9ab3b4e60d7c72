"""Subtitles and frame counts of a whole data set, as TVQA+ gives them."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import read_json
from stage.types import Sentence

END_OF_SENTENCE = "<eos>"
LAST_SENTENCE_SECONDS = 3.0


def read_subtitles(path: Path) -> dict[str, tuple[Sentence, ...]]:
    """Clip -> its sentences, from {clip: {sub_text, sub_time [, sub_end]}}.

    Where ends are not given, a sentence ends when the next one starts, the last after 3 seconds.
    """
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: holds no subtitles; it should map clips to sub_text and sub_time")
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
        raise InputError(f"{path}, clip {clip}: {len(texts)} sentences, but {len(starts)} start times")
    return tuple(Sentence(*row) for row in zip(starts, ends, texts, strict=True))


def read_frame_counts(path: Path) -> dict[str, int]:
    """Clip -> number of numbered frames (3 a second)."""
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise InputError(f"{path}: should map clips to their number of frames at 3 a second")
    for clip, count in raw.items():
        if type(count) is not int or count < 1:
            raise InputError(f"{path}, clip {clip}: has {count!r} frames; give their number at 3 a second")
    return raw
