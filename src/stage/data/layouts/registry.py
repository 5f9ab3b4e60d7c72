"""Registry of data set layouts: which one a path has, and opening it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def open_questions(path: str | Path, limits: Limits) -> QuestionSet:
    """Open a data set: a data folder, or FOLDER/SPLIT where FOLDER contains the splits of a known layout.

    Raises InputError naming what is missing and how to create it.
    """
    path = Path(path)
    return _layout_of(path).open_questions(path, limits)


def check_places(paths: Iterable[Path]) -> None:
    """Look whether data sets are there and complete, before any of them is read, or a model is loaded.

    Raises InputError naming all that is missing, of all of them, and how to create it.
    """

    def check(path: Path) -> None:
        _layout_of(path)
        if folder.matches(path):  # the first of the layouts
            folder.check_files(path, features=True)

    _check_all(check, paths)


def check_folders(paths: Iterable[Path]) -> None:
    """Look whether data folders have all files but features. Raises InputError as `check_places` does."""
    _check_all(folder.check_files, paths)


def _check_all(check: Callable[[Path], None], paths: Iterable[Path]) -> None:
    problems = []
    for path in dict.fromkeys(paths):
        try:
            check(path)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))


def _layout_of(path: Path) -> Layout:
    """The layout that a path has. Raises InputError if it has none."""
    if layout := next((layout for layout in layouts() if layout.matches(path)), None):
        return layout
    if advice := next((advice for layout in layouts() if (advice := layout.advice(path))), None):
        raise InputError(f"{path}: {advice}")
    if path.is_file() or not (path.exists() or path.parent.exists()):
        fault = "is a file" if path.is_file() else "no such folder"
        raise InputError(f"{path}: {fault}; give a data folder, or FOLDER/SPLIT of released features")
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
