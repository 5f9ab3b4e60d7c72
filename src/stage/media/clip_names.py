"""Clip names: those of films and frame folders, in one form of Unicode whatever the file system's is."""

from __future__ import annotations

import unicodedata
from pathlib import Path


def composed(name: str) -> str:
    """A clip's name in Unicode's composed form (NFC), as people type it; macOS may name files in the other (NFD)."""
    return unicodedata.normalize("NFC", name)


def clip_name(path: Path) -> str:
    """The name of the clip that a film, or a folder of frame images, contains."""
    return composed(path.name if path.is_dir() else path.stem)
