"""A kind of files, and command lines that read them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutations import Mutation

HERE = "@"
"""In arguments of a command: the folder of the files."""


@dataclass(frozen=True)
class Command:
    """A command line, run in this process; it ends with SystemExit."""

    line: str

    def __call__(self, folder: Path) -> None:
        from stage.commands import main

        sys.argv = ["stage", *self.line.replace(HERE, str(folder)).split(" ")]
        main()


@dataclass(frozen=True)
class Kind:
    """A kind of files."""

    name: str
    make: Callable[[Path], None]
    """Writes valid files into an empty folder."""
    changed: Mapping[str, Mutation]
    """Pattern of the files that are changed, one per input -> how."""
    readers: tuple[Callable[[Path], object], ...]
    """What reads the files in a folder; each input is given to one of them."""
