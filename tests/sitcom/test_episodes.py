"""Episodes are reproducible, and a folder of them is completed after a stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samples.places import ROOT
from samples.sitcom import fingerprint
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.questions import read_questions
from stage.errors import InputError
from stage.sitcom.episodes import make_episode, write_sitcom


@pytest.mark.slow
def test_the_same_seed_gives_the_same_truth_in_any_process() -> None:
    here = ROOT / "tests"
    run = [sys.executable, "-c", "from samples.sitcom import fingerprint; print(fingerprint())"]
    other = subprocess.run(run, cwd=here, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint()


@pytest.mark.slow
def test_a_folder_is_written_in_tvqa_formats_and_completed_after_a_stop(tmp_path: Path) -> None:
    write_sitcom(tmp_path, "val", 1)
    first = tmp_path / "episodes" / "sitcom_val_0_00000.mp4"
    made = first.stat().st_mtime_ns
    write_sitcom(tmp_path, "val", 2)
    assert first.stat().st_mtime_ns == made
    questions = read_questions(tmp_path / "questions.json")
    assert [q for q in questions if q.clip.endswith("00001")] == list(make_episode("val", 0, 1).questions)
    assert set(read_subtitles(tmp_path / "subtitles.json")) == {q.clip for q in questions}
    assert set(read_frame_counts(tmp_path / "frames.json")) == {q.clip for q in questions}
    assert not list(tmp_path.rglob("*.partial"))
    with pytest.raises(InputError, match="other episodes"):
        write_sitcom(tmp_path, "test", 2)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_error_stops_the_remaining_episodes(tmp_path: Path) -> None:
    (tmp_path / "episodes" / "sitcom_val_0_00000.mp4").mkdir(parents=True)  # so it can't be written
    with pytest.raises(InputError, match=r"00000\.mp4: can't be written"):
        write_sitcom(tmp_path, "val", 40)
    assert len(list((tmp_path / "truth").glob("*.json"))) < 10
