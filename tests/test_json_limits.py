"""Files of text have a limit, and so has what they unpack to."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from samples.memory import little_memory
from stage.errors import InputError
from stage.io import LARGEST_RATIO, read_json, write_json


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * 2**26, 9) * 48)  # 3 GiB in 3 MB
    unpacked = LARGEST_RATIO * path.stat().st_size
    with little_memory(), pytest.raises(InputError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: unpacks to more than {unpacked:,} bytes from ")
    assert f"{LARGEST_RATIO} times their packed size" in str(caught.value)


def test_files_of_any_kind_have_a_limit_and_small_ones_unpack_to_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "a" * 2**20
    write_json(tmp_path / "a.json.gz", content)
    assert (tmp_path / "a.json.gz").stat().st_size * LARGEST_RATIO < len(content)
    assert read_json(tmp_path / "a.json.gz") == content
    write_json(tmp_path / "a.json", content)
    monkeypatch.setattr("stage.io.LARGEST_JSON", 10**6)
    for name in ("a.json.gz", "a.json"):
        with pytest.raises(InputError, match=r"may have 1,000,000 bytes"):
            read_json(tmp_path / name)
