"""No command writes over what it reads, or over a file of another kind, unless --overwrite says so."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from samples.answers import PREDICTIONS, QUESTIONS
from samples.collecting import QUESTION, tagger_folder
from samples.command_line import Run
from samples.page import evidence
from stage.annotation.predictions import PREDICTION_FILE, write_predictions
from stage.annotation.questions import ANNOTATION_FILE, write_questions
from stage.annotation.vocabulary import VOCABULARY_FILE, build_vocabulary, write_vocabulary
from stage.collecting.task import TASK_PAGE, Task, render_task
from stage.errors import InputError
from stage.inference import model_folder
from stage.inference.answerer import Answerer
from stage.page.render import EVIDENCE_PAGE, render, write_page

ASKED = ("--question", "Who is it ?", "--answer", "Mia .", "--answer", "Leo .")


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with questions, predictions and their vocabulary."""
    monkeypatch.chdir(tmp_path)
    write_questions(tmp_path / "questions.json", QUESTIONS)
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, build_vocabulary(QUESTIONS))
    write_vocabulary(tmp_path / VOCABULARY_FILE, build_vocabulary(QUESTIONS))
    (tmp_path / "notes.html").write_text("<!DOCTYPE html><p>mine", "utf-8")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


REFUSED = [
    ("ask f.mp4 --report f.mp4", "give a name that ends in .html or .htm"),
    ("ask f.mp4 --report page.pdf", "give a name that ends in .html or .htm"),
    ("ask f.mp4 --report .", "is a folder"),
    ("ask f.mp4 --report notes.html", "is not an evidence page"),
    ("predict . questions.json", "is not a prediction file"),
    ("predict . new.json --vocabulary new.json", "is read by this command"),
    ("predict . word2idx.json", "is read by this command"),
    ("evaluate predictions.json questions.json --json questions.json", "is read by this command"),
    ("evaluate predictions.json questions.json --json predictions.json", "is read by this command"),
    ("evaluate predictions.json questions.json --json word2idx.json", "is read by this command"),
    ("evaluate predictions.json questions.json --json notes.html", "is not a scores file"),
    ("compare . sitcom --json questions.json", "is not a file of several models' scores"),
    ("errors predictions.json questions.json --out mine", "is not an error analysis"),
    ("collect nouns questions.json questions.json", "is read by this command"),
    ("collect nouns questions.json notes.html", "is not a table of nouns"),
    ("collect merge questions.json done.json questions.json", "is read by this command"),
    ("collect merge questions.json done.json done.json", "is read by this command"),
    ("collect merge questions.json done.json predictions.json", "is not an annotation file"),
    ("data stats questions.json --plots plots", "is not a plot of this command"),
    ("demo shown", "is not an evidence page"),
    ("detector cards", "is of no detector"),
    ("finetune-text . cards --text minilm", "contains another model"),
    ("finetune-text . cards --text cards", "is the model to start from"),
    ("import weights.pth own", "is no model folder"),
    ("sitcom own", "contains questions or subtitles of another data set"),
]


@pytest.mark.parametrize(("command", "reason"), REFUSED)
def test_an_output_that_would_destroy_a_file_is_refused_before_any_work(
    run: Run, scored: Path, short_film: Path, monkeypatch: pytest.MonkeyPatch, command: str, reason: str
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    monkeypatch.setattr(model_folder, "load_model", None)
    shutil.copy(short_film, scored / "f.mp4")
    (scored / "done.json").write_text("{}", "utf-8")
    for path in ("mine/errors.json", "own/subtitles.json", "cards/config.json", "cards/card.md"):
        (scored / path).parent.mkdir(exist_ok=True)
        (scored / path).write_text('["mine"]', "utf-8")
    for path in ("plots/boxes_by_category.png", "shown/evidence.html"):
        (scored / path).parent.mkdir()
        (scored / path).write_text("mine", "utf-8")
    before = contents(scored)
    arguments = command.split()
    if arguments[0] == "ask":
        arguments[2:2] = ASKED
    done = run(*arguments)
    assert done.refused(reason), done
    assert done.out == ""
    assert contents(scored) == before


WRITING = [
    "ask f.mp4 --report OUT.html",
    "predict . OUT.json",
    "evaluate predictions.json questions.json --json OUT.json",
    "compare . sitcom --json OUT.json",
    "errors predictions.json questions.json --out OUT",
    "collect nouns questions.json OUT.tsv",
    "collect merge questions.json done.json OUT.json",
    "data stats questions.json --plots OUT",
    "demo OUT",
    "detector OUT",
    "export sitcom OUT",
    "import weights.pth OUT",
    "sitcom OUT",
]


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("out", ["loop", "pipe", "new/" + "a" * 300, "file/new"])
def test_an_output_that_can_not_be_written_is_refused_before_any_work(
    run: Run, scored: Path, short_film: Path, monkeypatch: pytest.MonkeyPatch, command: str, out: str
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    monkeypatch.setattr(model_folder, "_load_system", None)
    shutil.copy(short_film, scored / "f.mp4")
    ending = Path(command.split()[-1]).suffix
    (scored / f"loop{ending}").symlink_to(scored / f"loop{ending}")
    os.mkfifo(scored / f"pipe{ending}")
    (scored / "file").write_text("mine", "utf-8")
    (scored / "done.json").write_text("{}", "utf-8")
    before = sorted(scored.rglob("*"))
    arguments = command.replace("OUT", out).split()
    if arguments[0] == "ask":
        arguments[2:2] = ASKED
    done = run(*arguments)
    assert done.code == 2, done
    assert out in done.err, done
    assert sorted(scored.rglob("*")) == before


def test_what_a_command_wrote_before_is_replaced(run: Run, scored: Path) -> None:
    for _ in range(2):
        assert run("evaluate", "predictions.json", "questions.json", "--json", "scores.json").code == 0
        assert run("errors", "predictions.json", "questions.json", "--out", "out").code == 0
        assert run("data", "stats", "questions.json", "--plots", "plots").code == 0
    assert "qa_accuracy" in json.loads((scored / "scores.json").read_text())


def test_overwrite_replaces_any_file(run: Run, scored: Path) -> None:
    command = ("evaluate", "predictions.json", "questions.json", "--json", "notes.html")
    assert run(*command).code == 2
    assert run(*command, "--overwrite").code == 0
    assert "qa_accuracy" in json.loads((scored / "notes.html").read_text())


def test_prediction_and_annotation_files_are_recognised(scored: Path) -> None:
    write_predictions(scored / "p.json.gz", PREDICTIONS, build_vocabulary(QUESTIONS))
    for name in ("predictions.json", "p.json.gz"):
        assert PREDICTION_FILE.matches(scored / name)
        with pytest.raises(InputError):  # which `check_output` takes for no
            ANNOTATION_FILE.matches(scored / name)
    assert ANNOTATION_FILE.matches(scored / "questions.json")
    assert not PREDICTION_FILE.matches(scored / "questions.json")


def test_pages_are_recognised_by_their_markers(tmp_path: Path, collecting_task: Task) -> None:
    write_page(tmp_path / "evidence.html", render([(evidence(), {})], title="x" * 500))
    write_page(tmp_path / "task.html", render_task(collecting_task))
    assert EVIDENCE_PAGE.matches(tmp_path / "evidence.html")
    assert TASK_PAGE.matches(tmp_path / "task.html")
    assert not EVIDENCE_PAGE.matches(tmp_path / "task.html")
    assert not TASK_PAGE.matches(tmp_path / "evidence.html")


@pytest.mark.slow
def test_annotation_pages_and_tables_are_replaced_and_other_files_are_not(
    run: Run, tmp_path: Path, spoken_film: Path
) -> None:
    tagger = tagger_folder(tmp_path / "tagger", ["mia", "gui"], ("NOUN", "VERB"))
    questions = tmp_path / "questions.json"
    write_questions(questions, [replace(QUESTION, text="mia plays guitar ?", answers=("?", "mia"))])
    for _ in range(2):
        assert run("collect", "nouns", questions, tmp_path / "nouns.csv", "--tagger", tagger).code == 0
        assert run("collect", "task", questions, spoken_film, tmp_path / "p", "--tagger", tagger).code == 0
    page = tmp_path / "p" / "film.html"
    page.write_text("mine", "utf-8")
    command = ("collect", "task", questions, spoken_film, tmp_path / "p", "--tagger", tagger)
    assert run(*command).refused("is not an annotation page")
    assert page.read_text("utf-8") == "mine"
    assert run(*command, "--overwrite").code == 0
