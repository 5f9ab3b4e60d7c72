"""`stage features` names what is missing before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

from samples.command_line import Run
from stage.io import write_json


def test_clips_without_frame_counts_are_named_before_films_are_read(
    run: Run, random_data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(random_data, folder)
    write_json(folder / "frames.json", {})
    assert run("features", "all", folder).refused("no subtitles or frame count for clip clip0")
