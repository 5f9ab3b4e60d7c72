"""`python -m stage` is the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stage.commands import installed_version


@pytest.mark.slow
def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stage", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"stage {installed_version()}\n"
    assert done.stderr == ""
