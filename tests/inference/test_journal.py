"""What was done of long work survives whatever ends it, and is never mixed with other work."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.errors import InputError
from stage.inference.journal import Journal

WORK = {"by": "a model", "film": "1234"}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The journal of two results."""
    journal = Journal(tmp_path / "out", WORK)
    journal.keep("one", {"answer": "a hat"})
    journal.keep("two", [1, 2.5])
    journal.close()
    return journal.path


def test_nothing_is_written_before_the_first_result(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", WORK)
    assert not journal.is_there
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_results_are_found_again(kept: Path, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", dict(reversed(WORK.items())))
    assert journal.found == {"one": {"answer": "a hat"}, "two": [1, 2.5]}
    journal.remove()
    assert not kept.exists()


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_line_that_was_cut_off_costs_that_result_alone(kept: Path, tmp_path: Path, cut: int) -> None:
    kept.write_bytes(kept.read_bytes()[:-cut])
    journal = Journal(tmp_path / "out", WORK)
    assert list(journal.found) == ["one"]
    journal.keep("three", 3)
    journal.close()
    again = Journal(tmp_path / "out", WORK)
    assert list(again.found) == ["one", "three"]
    again.close()


def test_a_header_that_was_cut_off_is_written_again(kept: Path, tmp_path: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:20])
    journal = Journal(tmp_path / "out", WORK)
    assert journal.found == {}
    journal.keep("one", 1)
    journal.close()
    again = Journal(tmp_path / "out", WORK)
    assert again.found == {"one": 1}
    again.close()


def test_other_work_and_other_files_are_refused_and_left_alone(kept: Path, tmp_path: Path) -> None:
    for content in (kept.read_bytes(), b"", b"my notes\n", b"\x00\xff" * 50):
        kept.write_bytes(content)
        if not content:  # nothing was written yet
            Journal(tmp_path / "out", WORK).close()
            continue
        with pytest.raises(InputError, match="keeps what another command has done"):
            Journal(tmp_path / "out", {**WORK, "film": "5678"})
        assert kept.read_bytes() == content


def test_a_journal_that_another_process_writes_is_refused(kept: Path, tmp_path: Path) -> None:
    first = Journal(tmp_path / "out", WORK)
    with pytest.raises(InputError, match="another process is writing it"):
        Journal(tmp_path / "out", WORK)
    first.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "out.unfinished").symlink_to(target)
    with pytest.raises(InputError, match="can't be read"):
        Journal(tmp_path / "out", WORK)
    assert target.read_text() == "mine"
