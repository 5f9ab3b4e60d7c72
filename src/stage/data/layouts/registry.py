"""Every layout that data sets lie in on disk, and which of them a place is in."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from stage.data.examples import Limits
from stage.data.layouts import folder
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.types import Clip, Question

MODULES = ("stage.data.layouts.folder", "stage.release.layout", "stage.data.layouts.described")
"""Each is a `Layout`; the first that holds a place reads it. They are named and not imported, so that a layout may
stand anywhere above `stage.data`."""


class Layout(Protocol):
    """A module that reads data sets which lie on disk in its way. A place is a path: a folder, or FOLDER/SPLIT."""

    def holds(self, place: Path) -> bool:
        """Whether a data set of this layout is there."""

    def open_questions(self, place: Path, limits: Limits) -> QuestionSet:
        """The questions with their features. Raises InputError naming what is missing and what would make it."""

    def read_text(self, place: Path) -> tuple[list[Question], list[Clip]]:
        """Questions and clips with their sentences, of a place that may have no features yet."""

    def advice(self, place: Path) -> str | None:
        """What is to be done if the place is nearly one of this layout."""


def layouts() -> list[Layout]:
    return [cast(Layout, import_module(name)) for name in MODULES]


def open_questions(place: Path, limits: Limits) -> QuestionSet:
    """Open a data set: a data folder of ours, or FOLDER/SPLIT where FOLDER holds the splits of a known layout.

    Raises InputError naming what is missing and what would make it.
    """
    if layout := next((layout for layout in layouts() if layout.holds(place)), None):
        return layout.open_questions(place, limits)
    if advice := next((advice for layout in layouts() if (advice := layout.advice(place))), None):
        raise InputError(f"{place}: {advice}")
    raise InputError(
        f"{place}: has no {folder.QUESTIONS}, and {place.parent} holds no split {place.name!r} of TVQA+ features; "
        f"check the path, or make a data folder with `stage sitcom {place}`"
    )


def read_text(place: Path) -> tuple[list[Question], list[Clip]]:
    """Questions and clips with their sentences, of a place that may have no features yet."""
    if layout := next((layout for layout in layouts() if layout.holds(place)), None):
        return layout.read_text(place)
    raise InputError(f"{place}: holds no questions; give a data folder, or FOLDER/SPLIT of released features")
