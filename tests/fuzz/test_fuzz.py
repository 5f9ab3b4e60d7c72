"""Fuzzing notices what goes wrong, and gives the same inputs for the same seed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from mmap import PAGESIZE, mmap
from pathlib import Path
from typing import Any

import pytest
from fuzz.kind import Kind
from fuzz.mutations import mutate_text
from fuzz.session import fuzz

from fuzz import trial
from samples.places import ROOT
from stage.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")

ENOUGH = ("questions-gz", "release-hdf5", "config", "store-clips")
"""Kinds that use most mutations and take no seconds."""
VALID = "".join(f"line {n}\n" for n in range(20))


def refuse(folder: Path) -> None:
    raise InputError("one line")


def fail(folder: Path) -> None:
    raise ValueError("a traceback")


def warn(folder: Path) -> None:
    print("library.py:3: RuntimeWarning: odd", file=sys.stderr)


def crash(folder: Path) -> None:
    import ctypes

    ctypes.string_at(0)


def fill(folder: Path) -> None:
    fresh = mmap(-1, 100 << 20)  # not memory that the process has had and freed
    for page in range(0, len(fresh), PAGESIZE):
        fresh[page] = 1


def escape(folder: Path) -> None:
    (folder.parent / "escaped").touch()


def talk(folder: Path) -> None:
    print("no line of the command", file=sys.stderr)
    sys.exit(2)


@pytest.mark.parametrize(
    ("reader", "result"),
    [
        (Path.iterdir, "read"), (refuse, "refused"), (fail, "traceback"), (warn, "warning"), (crash, "crash"),
        (fill, "memory"), (escape, "outside"), (talk, "not one line"),
    ],
)  # fmt: skip
def test_what_goes_wrong_with_an_input_is_named_and_the_input_kept(
    reader: Callable[[Path], Any], result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MEGABYTES", 50)
    tally = fuzz(kind_of(reader), 1, range(2), tmp_path)
    assert tally.results == {result: 2}
    good = result in ("read", "refused")
    assert len(tally.failures) == (0 if good else 2)
    assert sorted(path.name for path in tmp_path.glob("odd/*")) == ([] if good else ["1-0", "1-1"])


def test_an_input_that_never_ends_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    outcome = trial.attempt(lambda: time.sleep(100), folder, wait=0.5)
    assert outcome.result == "too long"


def test_one_number_gives_the_same_input_again(tmp_path: Path) -> None:
    for keep, numbers in (("all", range(5)), ("one", range(3, 4))):
        fuzz(kind_of(fail), 7, numbers, tmp_path / keep)
    again = (tmp_path / "one" / "odd" / "7-3" / "file.txt").read_bytes()
    assert again == (tmp_path / "all" / "odd" / "7-3" / "file.txt").read_bytes()
    assert len({path.read_bytes() for path in tmp_path.glob("all/odd/*/file.txt")}) > 1


@pytest.mark.slow
def test_a_few_inputs_of_several_kinds_are_read_or_refused(tmp_path: Path) -> None:
    chosen = [argument for kind in ENOUGH for argument in ("--kind", kind)]
    command = [sys.executable, "-m", "fuzz", "--inputs", "2", "--jobs", "1", "--keep", str(tmp_path), *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * len(ENOUGH)}" in done.stdout


def kind_of(reader: Callable[[Path], Any]) -> Kind:
    """A kind of one text file, which is given to `reader` if it was changed."""

    def make(folder: Path) -> None:
        (folder / "file.txt").write_text(VALID)

    def read(folder: Path) -> None:
        if (folder / "file.txt").read_bytes() != VALID.encode():
            reader(folder)

    return Kind("odd", make, {"*.txt": mutate_text}, (read,))
