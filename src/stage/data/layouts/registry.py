"""Registry of data set layouts: which one a path has, and opening it."""

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
"""Each is a `Layout`; the first that matches a path reads it. They are imported by name, so that a layout may be in
a package that imports `stage.data`."""


class Layout(Protocol):
    """A module that reads data sets of one layout. A path is a folder, or FOLDER/SPLIT if FOLDER has splits."""

    def matches(self, path: Path) -> bool:
        """Whether the path is a data set of this layout."""

    def open_questions(self, path: Path, limits: Limits) -> QuestionSet:
        """The questions with their features. Raises InputError naming what is missing and how to create it."""

    def read_annotation(self, path: Path) -> tuple[list[Question], list[Clip]]:
        """The questions, and the clips with their sentences. Needs no features."""

    def advice(self, path: Path) -> str | None:
        """For an error message: how to correct a path that this layout nearly matches; None if it doesn't."""


def layouts() -> list[Layout]:
    """All layouts, in the order in which they are tried."""
    return [cast(Layout, import_module(name)) for name in MODULES]


def open_questions(path: Path, limits: Limits) -> QuestionSet:
    """Open a data set: a data folder, or FOLDER/SPLIT where FOLDER contains the splits of a known layout.

    Raises InputError naming what is missing and how to create it.
    """
    if layout := next((layout for layout in layouts() if layout.matches(path)), None):
        return layout.open_questions(path, limits)
    if advice := next((advice for layout in layouts() if (advice := layout.advice(path))), None):
        raise InputError(f"{path}: {advice}")
    raise InputError(
        f"{path}: has no {folder.QUESTIONS}, and {path.parent} has no split {path.name!r} of released features; "
        f"check the path, or create a data folder with `stage sitcom {path}`"
    )


def read_annotation(path: Path) -> tuple[list[Question], list[Clip]]:
    """The questions of a data set, and its clips with their sentences. Needs no features.

    Raises InputError if the path has no known layout.
    """
    if layout := next((layout for layout in layouts() if layout.matches(path)), None):
        return layout.read_annotation(path)
    raise InputError(
        f"{path}: contains no questions; give a data folder, or FOLDER/SPLIT of released features"
    )
