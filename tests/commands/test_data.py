"""`stage data check` and `stage data make`: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.command_line import Run
from samples.film_folder import question, write, write_clip_files, write_film_folder
from samples.places import tvqa_plus_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_film_folder(tmp_path / "data")
    return tmp_path / "data"


def test_a_folder_is_made_from_its_films_and_then_has_no_errors(run: Run, data: Path) -> None:
    done = run("data", "check", data)
    assert done.code == 1
    assert f"missing files: {data}/frames.json" in done.out
    assert f"to do: make it from the films with `stage data make {data}`" in done.out
    done = run("data", "make", data)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{data}: frames.json and subtitles.json of 2 clips\n"
    done = run("data", "check", data)
    assert done.code == 0
    assert done.out.splitlines()[-2:] == [
        f"{data}: 2 usable questions",
        f"  data folders without features: 1 ({data})",
    ]


def test_errors_are_listed_once_with_what_to_do_and_end_with_code_one(run: Run, data: Path) -> None:
    write_clip_files(data)
    write(
        data / "questions.json",
        [question(i, "one", ts=[0, 200 + i]) for i in range(2)] + [question(2, "two")],
    )
    done = run("data", "check", data)
    assert done.code == 1
    lines = done.out.splitlines()
    kind = "spans that end after their clip"
    listed = [i for i, line in enumerate(lines) if line.startswith(f"{kind}: ")]
    assert [lines[i].rsplit(",", 1)[1] for i in listed] == [
        f" question {i} in {data}/questions.json" for i in range(2)
    ]
    assert lines[listed[-1] + 1].startswith("  to do: give ts in seconds")
    assert lines[-1].startswith(f"  error: {kind}: 2 (first: 0 to 200 s, but one lasts 8.0 s")


def test_films_that_cannot_be_read_are_named_and_end_with_code_one(run: Run, data: Path) -> None:
    (data / "episodes" / "two.mp4").write_bytes(b"?" * 9)
    done = run("data", "make", data)
    assert done.code == 1
    assert "left out: " in done.err
    assert "two.mp4" in done.err
    assert done.out == f"{data}: frames.json and subtitles.json of 1 clip\n"
    assert json.loads((data / "frames.json").read_text()) == {"one": 24}


def test_what_is_repaired_is_printed_with_the_clip(run: Run, data: Path) -> None:
    (data / "episodes" / "two.srt").unlink()
    assert run("data", "make", data).err == "two: no subtitles\n"


def test_a_path_that_is_no_data_set_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("data", "check", tmp_path / "nothing").refused("no such file or folder")
    assert run("data", "check", tmp_path).refused("it has no questions.json")
    assert run("data", "make", tmp_path).refused("is not a folder of films")
    assert run("features", "all", tmp_path / "nothing").refused("nothing: no such folder")


def test_the_released_annotation_is_checked_at_its_own_size(run: Run) -> None:
    done = run("data", "check", tvqa_plus_file("tvqa_plus_val.json"))
    assert done.code == 0
    assert "  boxes that extend beyond the frame: 199 (first: " in done.out


@pytest.mark.parametrize("command", [("evaluate",), ("errors",)])
def test_missing_files_of_a_command_are_named_at_once(run: Run, tmp_path: Path, command: tuple[str]) -> None:
    absent = [tmp_path / name for name in ("p.json", "q.json", "w.json")]
    done = run(*command, *absent[:2], "--vocabulary", absent[2])
    assert done.refused(f"{absent[0]}, {absent[1]}, {absent[2]}: no such files"), done


@pytest.mark.parametrize("command", [("evaluate",), ("errors",)])
def test_spans_that_can_never_be_right_are_noted_where_predictions_are_scored(
    run: Run, data: Path, command: tuple[str]
) -> None:
    write_clip_files(data)
    questions = [question(0, "one"), question(1, "two", ts=[5, 5]), question(2, "two", ts=[0, 200])]
    write(data / "questions.json", questions)
    answers = {"0": [[4, 1], 0], "1": [[1, 2], 0], "2": [[3, 3], 0]}
    write(data / "predictions.json", {"ts_answer": answers, "raw_bbox": []})
    write(data / "word2idx.json", {"<unk>": 0})
    out = " ".join(run(*command, data / "predictions.json", data / "questions.json").out.split())
    assert "2 of 3 predicted spans (first: question 0) end where or before they start" in out
    assert "empty spans, which can never be found: 1 (5 to 5 s, question 1" in out
    assert "spans that end after their clip: 1 (0 to 200 s, but two lasts 8.0 s, question 2" in out
