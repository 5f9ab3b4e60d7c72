"""The names that identify encoders and detectors: in stores, in model folders, on the command line."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGED_BERT, PACKAGED_GLOVE = "minilm", "glove"
PACKAGED_GLOVE_NAME = f"{PACKAGED_GLOVE}@6B-50d"
PACKAGED_DETECTOR = "stage"
VISUAL_CONCEPTS = "concepts:"
"""What the names of visual concepts begin with; that of their text encoder follows."""
RELEASED_TEXT, RELEASED_REGIONS = "tvqa-release/text", "tvqa-release/regions"
"""The authors' released features, which exist as files alone: nothing here computes them from a film."""


def without_digest(name: str) -> str:
    """What an encoder or detector was loaded from: its name without a digest ("minilm@53aa51172d14")."""
    return name if Path(name).exists() else re.sub(r"@[0-9a-f]{12}$", "", name)
