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
    assert set(stage.__all__) <= set(dir(stage)) | {
        "Answerer",
        "OpenFilm",
        "to_json",
        "frames_to_show",
        "render",
        "write_page",
    }
