"""`stage collect`, from questions to an annotation."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from samples.collecting import QUESTION, box, content, saved, tagger_folder
from stage.annotation.questions import read_questions, write_questions
from stage.collecting.nouns import Noun, read_nouns
from stage.commands import main
from stage.types import Box


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `stage collect` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["stage", "collect", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_commands_lead_from_questions_to_an_annotation(
    tmp_path: Path, spoken_film: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = shutil.copytree(spoken_film.parent, tmp_path / "films") / spoken_film.name
    tagger = tagger_folder(tmp_path / "tagger", ["mia", "gui"], ("NOUN", "VERB"))
    questions, nouns, pages = tmp_path / "questions.json", tmp_path / "nouns.csv", tmp_path / "pages"
    write_questions(questions, [replace(QUESTION, text="mia plays guitar ?", answers=("?", "mia"))])
    assert run(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert "3 nouns, 2 distinct" in capsys.readouterr().out
    nouns.write_text(nouns.read_text().replace("guitar,1,yes", "guitar,1,no"))
    assert run(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert read_nouns(nouns) == {"mia": Noun(2), "guitar": Noun(1, visual=False)}

    other = film.rename(film.with_name("other.mp4"))
    assert run(monkeypatch, "task", questions, other, pages, "--tagger", tagger) == 2
    other.rename(film)
    assert run(monkeypatch, "task", questions, film, pages, "--nouns", nouns, "--tagger", tagger) == 0
    task = content((pages / "film.html").read_text())
    assert [c["label"] for c in task["questions"][0]["concepts"]] == ["mia"]

    done = saved(tmp_path / "done.json", task, frames={"7": {"boxes": [box("mia")]}})
    assert run(monkeypatch, "merge", questions, done, tmp_path / "annotation.json") == 0
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question.boxes == {7: (Box(10, 8, 50, 28, "mia"),)}
    # If the output file is forgotten, the last submission is not overwritten.
    kept = saved(tmp_path / "kept.json", task).read_text()
    assert run(monkeypatch, "merge", questions, done, tmp_path / "kept.json") == 2
    assert (tmp_path / "kept.json").read_text() == kept
