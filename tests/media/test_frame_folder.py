"""Folders of numbered frame images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stage.errors import InputError
from stage.media.frame_folder import open_frames
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay


def test_frame_images_are_read_as_they_are_numbered(frame_folders: Path) -> None:
    clip = open_frames(frame_folders / "clip0")
    assert clip.frame_count == 13
    assert clip.model_frames() == (1, 7, 13)
    found = dict(clip.frames([13, 2, 99]))
    assert list(found) == [2, 13]
    picture = draw(write_screenplay(episode_seed("test", 7, 0)).setting_at(2 / 3)).image
    assert np.abs(found[2].astype(int) - picture).mean() < 4


def test_an_empty_image_is_named(frame_folders: Path) -> None:
    (frame_folders / "clip0" / "00007.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"00007\.jpg: is not a readable image"):
        list(open_frames(frame_folders / "clip0").frames([1, 7]))
