"""Clip names: those of films and frame folders, in one form of Unicode whatever the file system's is; their files."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from stage.errors import InputError
from stage.io import LONGEST_NAME

SHOWN_CHARACTERS = 60


def composed(name: str) -> str:
    """A clip's name in Unicode's composed form (NFC), as people type it; macOS may name files in the other (NFD)."""
    return unicodedata.normalize("NFC", name)


def clip_name(path: Path) -> str:
    """The name of the clip that a film, or a folder of frame images, contains."""
    return composed(path.name if path.is_dir() else path.stem)


def clip_file(folder: Path, clip: str, suffix: str) -> Path:
    """The file of a clip in a folder, and nowhere else, whatever the clip is called in the file that names it.

    suffix: is added to the name. Raises InputError if no file can have it: one with a slash, NUL or half a character,
    or of more than 255 bytes.
    """
    name = clip + suffix
    try:
        is_name = clip not in ("", ".", "..") and not {"/", "\0"} & set(clip)
        if is_name and len(os.fsencode(name)) <= LONGEST_NAME:
            return folder / name
    except UnicodeEncodeError:
        pass
    shown = clip if len(clip) <= SHOWN_CHARACTERS else clip[:SHOWN_CHARACTERS] + "..."
    raise InputError(
        f"{folder}: can't have a file {shown!r}, as a clip is called; rename it (vid_name) and its film, without "
        f"slashes and in at most {LONGEST_NAME - len(suffix)} bytes"
    )
