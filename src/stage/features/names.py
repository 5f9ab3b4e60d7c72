"""Names of encoders and detectors: what stores, model folders and users call them."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGED_BERT, PACKAGED_GLOVE = "minilm", "glove"
PACKAGED_GLOVE_NAME = f"{PACKAGED_GLOVE}@6B-50d"
PACKAGED_DETECTOR = "stage"
VISUAL_CONCEPTS = "concepts:"
"""Prefix of the names of visual concepts; the name of their text encoder follows."""
RELEASED_TEXT, RELEASED_REGIONS = "tvqa-release/text", "tvqa-release/regions"
"""The authors' released features. They exist as files only and can't be computed from a film."""


def without_digest(name: str) -> str:
    """What an encoder or detector is loaded from: its name without the digest, "minilm" for "minilm@53aa51172d14"."""
    return name if Path(name).exists() else re.sub(r"@[0-9a-f]{12}$", "", name)
