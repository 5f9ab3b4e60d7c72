"""Our own data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError


def test_a_data_folder_without_features_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path, Limits())
    (tmp_path / "questions.json").write_text("[]")
    with pytest.raises(InputError, match="stage features"):
        open_questions(tmp_path, Limits())
