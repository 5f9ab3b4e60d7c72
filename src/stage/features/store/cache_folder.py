"""The folder in which features are cached for this user."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Where features are cached: $STAGE_CACHE if it is set, otherwise `stage` in the user's cache folder.

    On Linux that is $XDG_CACHE_HOME/stage, or ~/.cache/stage.
    """
    if own := os.environ.get("STAGE_CACHE"):
        return Path(own)
    return user_cache_path("stage", appauthor=False)
