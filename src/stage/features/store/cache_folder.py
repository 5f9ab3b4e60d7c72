"""The folder in which features are cached for this user."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from stage.errors import InputError


def cache_folder() -> Path:
    """Where features are cached: $STAGE_CACHE if it is set, otherwise `stage` in the user's cache folder.

    On Linux that is $XDG_CACHE_HOME/stage, or ~/.cache/stage. Raises InputError if this user has no home folder.
    """
    if own := os.environ.get("STAGE_CACHE"):
        return Path(own)
    try:
        folder = user_cache_path("stage", appauthor=False)
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # earlier versions of platformdirs return "~" as it is
        raise InputError("this user has no home folder to cache features in; set STAGE_CACHE to a folder")
    return folder
