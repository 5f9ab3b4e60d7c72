"""Drawing that is killed at any moment and done again gives the files of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from samples.command_line import Run
from stage.lock import locked
from stage.sitcom.benchmark.splits import PublishedSplit
from stage.sitcom.episodes import write_sitcom
from stage.temporary import temporary_name

ARGUMENTS = ("--split", "val", "--episodes", "1", "--seed", "7", "--questions", "2", "--workers", "2")
"""Of the folder that `small_sitcom` is."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.exhaustive
def test_a_killed_run_that_is_done_again_gives_the_same_files(
    small_sitcom: tuple[Path, PublishedSplit], tmp_path: Path
) -> None:
    rng = Random(28)
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-m", "stage", "sitcom", tmp_path, *ARGUMENTS], stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 50
        while not (tmp_path / "sitcom.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 2))
        process.send_signal(number)
        process.communicate(timeout=20)  # the workers have ended too, or standard error would still be open
    write_sitcom(tmp_path, "val", 1, seed=7, questions=2)
    assert contents(tmp_path) == contents(small_sitcom[0])


def test_what_workers_of_a_killed_run_left_is_removed_from_a_finished_folder(sitcom_copy: Path) -> None:
    before = contents(sitcom_copy)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in ("episodes/a.mp4", "truth/a.json", "questions.json"):
        left = temporary_name(sitcom_copy / name, "partial")
        left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")).write_text("half of it")
    assert len(contents(sitcom_copy)) == len(before) + 3
    write_sitcom(sitcom_copy, "val", 1, seed=7, questions=2)
    assert contents(sitcom_copy) == before


@pytest.mark.exhaustive
def test_an_episode_that_lacks_its_film_is_drawn_again(sitcom_copy: Path) -> None:
    before = contents(sitcom_copy)
    next(sitcom_copy.glob("episodes/*.mp4")).unlink()
    write_sitcom(sitcom_copy, "val", 1, seed=7, questions=2)
    assert contents(sitcom_copy) == before


@pytest.mark.parametrize("content", ["[]", "{}", '{"name": "another"}', "[" * 1000, ""])
def test_a_truth_file_of_something_else_is_named(content: str, run: Run, sitcom_copy: Path) -> None:
    truth = next((sitcom_copy / "truth").glob("*.json"))
    truth.write_text(content)
    done = run("sitcom", sitcom_copy, *ARGUMENTS)
    assert done.refused(str(truth))
    assert truth.read_text() == content


def test_a_second_process_is_refused_and_changes_nothing(run: Run, sitcom_copy: Path) -> None:
    with locked(sitcom_copy, "the drawing of episodes"):
        before = contents(sitcom_copy)
        assert run("sitcom", sitcom_copy, *ARGUMENTS[:3], "2", *ARGUMENTS[4:]).refused(
            "is in use by the drawing of episodes, process"
        )
        assert contents(sitcom_copy) == before
