"""`stage collect`, from questions to an annotation."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from samples.collecting import QUESTION, box, content, saved, tagger_folder
from samples.command_line import Done, Run
from stage.annotation.questions import read_questions, write_questions
from stage.collecting.nouns import Noun, read_nouns
from stage.collecting.submissions import FORMAT
from stage.commands import main
from stage.types import Box


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
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
    assert exit_code(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert "3 nouns, 2 distinct" in capsys.readouterr().out
    nouns.write_text(nouns.read_text().replace("guitar,1,yes", "guitar,1,no"))
    assert exit_code(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert read_nouns(nouns) == {"mia": Noun(2), "guitar": Noun(1, visual=False)}

    other = film.rename(film.with_name("other.mp4"))
    assert exit_code(monkeypatch, "task", questions, other, pages, "--tagger", tagger) == 2
    other.rename(film)
    assert exit_code(monkeypatch, "task", questions, film, pages, "--nouns", nouns, "--tagger", tagger) == 0
    task = content((pages / "film.html").read_text())
    assert [c["label"] for c in task["questions"][0]["concepts"]] == ["mia"]

    done = saved(tmp_path / "done.json", task, frames={"7": {"boxes": [box("mia")]}})
    assert exit_code(monkeypatch, "merge", questions, done, tmp_path / "annotation.json") == 0
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question.boxes == {7: (Box(10, 8, 50, 28, "mia"),)}
    # If the output file is forgotten, the last submission is not overwritten.
    kept = saved(tmp_path / "kept.json", task).read_text()
    assert exit_code(monkeypatch, "merge", questions, done, tmp_path / "kept.json") == 2
    assert (tmp_path / "kept.json").read_text() == kept


def test_what_gets_no_page_is_counted_and_films_are_checked_first(
    run: Run, tmp_path: Path, spoken_film: Path
) -> None:
    tagger = tagger_folder(tmp_path / "tagger", ["mia", "gui"], ("NOUN", "VERB"))
    questions = tmp_path / "questions.json"
    asked = replace(QUESTION, text="mia plays guitar ?", answers=("?", "mia"), span=(2, 500))
    others = [replace(asked, qid=qid, clip=clip) for qid, clip in ((6, "lost"), (7, "lost"), (8, "gone"))]
    write_questions(questions, [asked, *others])
    films = Path(shutil.copytree(spoken_film.parent, tmp_path / "films"))
    film, unasked = films / "film.mp4", Path(shutil.copy(spoken_film, films / "flim.mp4"))

    def task(*arguments: Path | str) -> Done:
        return run("collect", "task", questions, *arguments, tmp_path / "pages", "--tagger", tagger)

    done = task(film, unasked)
    assert done.code == 0
    assert "film.html: 1 question, 8 frames, 0.1 MB" in done.out
    assert done.err.splitlines() == [
        f"{film}: has no subtitles: its page shows no dialogue; give --subtitles",
        f"{film}: question 5: its span is 2 to 500 s, but the film is 8.0 s long",
        f"no page for 1 film that no question is about: {unasked}",
        "no page for 3 questions about 2 clips without a film: lost, gone",
    ]
    (tmp_path / "pages" / "film.html").unlink()
    assert task(film, films / "flm.mp4").refused("flm.mp4: no such film")
    assert task(film, Path(shutil.copy(film, films / "film.mkv"))).refused("have the same clip name, 'film'")
    assert task(unasked).refused("no question is about flim")
    assert not list((tmp_path / "pages").glob("film.html"))


@pytest.mark.slow
def test_submissions_are_held_against_the_films(run: Run, tmp_path: Path, spoken_film: Path) -> None:
    questions, done = tmp_path / "questions.json", tmp_path / "done.json"
    write_questions(questions, [QUESTION])
    page = {"format": FORMAT, "clip": "film", "width": 80, "height": 24, "frame_count": 24}
    saved(done, page, frames={"7": {"boxes": [box("Mia", 10, 8, 40, 12)]}})
    command = ("collect", "merge", questions, done, tmp_path / "annotation.json")
    assert "boxes are in pixels of the pages' films: 80 x 24 (1 clip)" in run(*command).out
    films = Path(shutil.copytree(spoken_film.parent, tmp_path / "films"))
    assert "from 80 x 24 to 160 x 48" in run(*command, "--films", films).out
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question.boxes == {7: (Box(20, 16, 100, 40, "Mia"),)}
    (films / "film.mp4").rename(films / "other.mp4")
    assert run(*command, "--films", films).refused("there is no film of 'film'")
