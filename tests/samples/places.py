"""Where the files are that tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
SPEC = SHARED / "spec" / "stage.md"


def tvqa_plus_file(name: str) -> Path:
    """A file of TVQA+; the test is skipped where it is missing."""
    path = SHARED / "tvqa_plus" / name
    if not path.exists():
        pytest.skip(f"{name} is not next to this checkout")
    return path
