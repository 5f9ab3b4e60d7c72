"""Which layout a data set is in."""

from __future__ import annotations

from pathlib import Path

from stage.dataset import QuestionSet
from stage.errors import InputError
from stage.examples import Limits
from stage.layouts import described, folder, release

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
