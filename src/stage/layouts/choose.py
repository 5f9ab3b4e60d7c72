"""Which layout a data set is in."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.questions import read_questions
from stage.annotation.subtitles import read_frame_counts, read_subtitles
from stage.dataset import QuestionSet
from stage.errors import InputError
from stage.examples import Limits
from stage.layouts import described, folder, release
from stage.types import Clip, Question

PACKED = "packed"
"""Where `stage data pack` writes, below the released folder."""


def open_questions(place: Path, limits: Limits) -> QuestionSet:
    """Open a data set: a data folder of ours, or FOLDER/SPLIT where FOLDER holds the splits of a known layout.

    Raises InputError naming what is missing and what would make it.
    """
    if folder.is_here(place):
        return folder.open_folder(place, limits)
    packed = place.parent / PACKED / place.name
    if folder.is_here(packed):
        return folder.open_folder(packed, limits)
    if release.is_here(place.parent, place.name):
        return release.open_release(place.parent, place.name, limits)
    if described.is_here(place.parent):
        return described.open_described(place.parent, place.name, limits)
    if splits := release.splits(place):
        raise InputError(f"{place}: holds several splits; add one to the path: {', '.join(splits)}")
    raise InputError(
        f"{place}: has no {folder.QUESTIONS}, and {place.parent} holds no split {place.name!r} of TVQA+ features; "
        f"check the path, or make a data folder with `stage sitcom {place}`"
    )


def read_text(place: Path) -> tuple[list[Question], list[Clip]]:
    """Questions and clips with their sentences, of a place that may have no features yet."""
    if folder.is_here(place):
        return read_questions(place / folder.QUESTIONS), list(folder.read_clips(place).values())
    if release.is_here(place.parent, place.name):
        files = release.ReleaseFiles.find(place.parent)
        sentences = read_subtitles(files.subtitles)
        counts = read_frame_counts(files.frames)
        questions = read_questions(release.questions_file(place.parent, place.name))
        names = sorted({q.clip for q in questions} & counts.keys())
        return questions, [Clip(name, counts[name], sentences=sentences.get(name, ())) for name in names]
    if described.is_here(place.parent):
        found = described.open_described(place.parent, place.name, Limits())
        return found.questions, list(found.clips.values())
    raise InputError(f"{place}: holds no questions; give a data folder, or FOLDER/SPLIT of released features")
