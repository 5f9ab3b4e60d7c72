"""Where features are cached for this user."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where `stage ask` keeps features of films: $STAGE_CACHE, or `stage` in the user's cache folder."""
    if own := os.environ.get("STAGE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stage"
