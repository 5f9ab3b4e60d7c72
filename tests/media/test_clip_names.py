"""A clip's file lies in its folder, whatever the clip is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stage.errors import InputError
from stage.media.clip_names import clip_file

FOLDER = Path("/folder/clips")


@given(st.text(st.characters(codec=None, exclude_categories=())) | st.text("./\\\0a"))
@example("../../../escaped")
@example("/etc/passwd")
@example("a" * 300)
@example("é" * 125)
@example("..")
@example("")
@example("a\0b")
@example("\ud83d")
def test_a_clip_s_file_is_in_the_folder_or_the_name_is_refused(name: str) -> None:
    try:
        path = clip_file(FOLDER, name, ".npz")
    except InputError:
        assert not name.isalnum() or len(name.encode("utf-8", "surrogatepass")) > 251
        return
    assert Path(os.path.normpath(path)).parent == FOLDER
    assert path.name == name + ".npz"
    assert len(os.fsencode(path.name)) <= 255


@pytest.mark.parametrize(
    "name", ["s01e02_seg03_clip_04", "..a", ".hidden", "Ünïcode 名前", "a" * 251, "a:b|c?"]
)
def test_usual_names_stay_as_they_are(name: str) -> None:
    assert clip_file(FOLDER, name, ".npz") == FOLDER / f"{name}.npz"
