"""What `import stage` gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stage


@pytest.mark.slow
def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = (
        "import sys, stage; print([m for m in ('torch', 'transformers', 'av', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_lists_what_is_public() -> None:
    assert [name for name in dir(stage) if not name.startswith("_")] == sorted(stage.__all__)
    for name in stage.__all__:
        assert getattr(stage, name) is not None
