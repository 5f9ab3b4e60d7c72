"""Layouts are recognised, and other folders are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.release_folder import Release
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError


def test_a_path_without_questions_is_reported_with_what_exists(release: Release, tmp_path: Path) -> None:
    root = release.write()
    with pytest.raises(InputError, match="train, valid"):
        open_questions(root, Limits())
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path / "nothing", Limits())
    (root / "frm_cnt_cache.json").unlink()
    with pytest.raises(InputError, match="frm_cnt_cache"):
        open_questions(root / "train", Limits())
