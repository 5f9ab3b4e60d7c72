"""`stage compare` and `stage tables` print the scores that other commands print, and `stage demo` answers."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from samples.command_line import Run
from samples.data_folder import random_run
from stage.annotation.questions import read_questions
from stage.experiments.jobs import scheduler
from stage.experiments.jobs.scheduler import Failure
from stage.lock import locked
from stage.page.answered_by import UNMEASURED
from stage.page.render import EVIDENCE_PAGE
from stage.sitcom import episodes


@pytest.fixture(scope="module")
def trained(random_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch on random data, with `model` in it."""
    from stage.training.loop import train

    out = tmp_path_factory.mktemp("run")
    train(random_run(random_data, out))
    return out


def shown(number: float | None) -> str:
    return "-" if number is None else f"{100 * number:.2f}"


@pytest.mark.slow
def test_compare_prints_the_scores_that_evaluate_finds_in_predictions(
    run: Run, random_data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    models = [str(trained / "model"), "longest"]
    done = run("compare", random_data, *models, "--json", tmp_path / "all.json")
    assert done.code == 0, done
    compared = json.loads((tmp_path / "all.json").read_text())
    assert list(compared) == models
    assert "6 questions about 2 clips of" in done.out
    for model in models:
        assert run("predict", random_data, tmp_path / "p.json", "--model", model).code == 0
        evaluated = run(
            "evaluate", tmp_path / "p.json", random_data / "questions.json", "--json", tmp_path / "s.json"
        )
        assert evaluated.code == 0
        scores = json.loads((tmp_path / "s.json").read_text())
        (row,) = (line for line in done.out.splitlines() if model in line and "│" in line)
        cells = [cell.strip() for cell in row.strip("│ ").split("│")]
        names = ["qa_accuracy", "temporal_miou", "answer_span_accuracy", "grounding_map"]
        assert cells[1:] == [shown(compared[model][name]) for name in names]
        for name in names if model != "longest" else names[:1]:  # which has no spans
            assert compared[model][name] == pytest.approx(scores[name], abs=1e-6), name
    # The only annotated frame, 1, has a region that is exactly the box.
    assert "20 best regions of a frame (IoU 0.5): 1.0000" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("DATA", "nowhere"), "nowhere: no such model"),
        (("nowhere", "longest"), "nowhere"),
        (("DATA", "sitcom"), "but the model sitcom was trained on"),
        (("DATA",), "missing argument 'MODEL'"),
        (("DATA", "longest", "--json", "."), "is a folder"),
        (("DATA", "RUN"), "/model"),
    ],
)
def test_what_can_not_be_compared_is_named(
    run: Run, random_data: Path, trained: Path, arguments: tuple[str, ...], reason: str
) -> None:
    paths = {"DATA": random_data, "RUN": trained}
    done = run("compare", *(paths.get(argument, argument) for argument in arguments))
    assert done.refused(reason), done


def table_of(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Row and score -> the line of table_3.csv."""
    with (folder / "table_3.csv").open(encoding="utf-8", newline="") as file:
        return {(line["row"], line["score"]): line for line in csv.DictReader(file)}


@pytest.mark.slow
def test_tables_contain_the_scores_of_their_runs_and_finished_ones_are_kept(
    run: Run, random_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tables"
    command = (
        "tables", "3", "--config", random_data / "run.yaml", "--test", random_data, "--out", out, "--seeds", "1",
        "--jobs", "1", "--rows", "longest",
    )  # fmt: skip
    done = run(*command)
    assert done.code == 0, done
    assert done.out.endswith(f"{out}: tables, plots and audits\n")
    scores_file = out / "runs" / "longest" / "seed-2018" / "scores.json"
    accuracy = 100 * json.loads(scores_file.read_text())["scores"]["qa_accuracy"]
    assert run("compare", random_data, "longest", "--json", tmp_path / "c.json").code == 0
    assert accuracy == 100 * json.loads((tmp_path / "c.json").read_text())["longest"]["qa_accuracy"]
    rows = [line for (row, score), line in table_of(out).items() if "ongest" in row and line["mean"]]
    assert [float(line["mean"]) for line in rows if line["score"].startswith("QA")] == [
        pytest.approx(accuracy)
    ]
    assert {line["seeds"] for line in rows} == {"1"}
    assert f"{accuracy:.2f}" in (out / "table_3.md").read_text("utf-8")
    assert (out / "table_3.png").read_bytes().startswith(b"\x89PNG")
    assert "| claim | verdict |" in (out / "audit.md").read_text("utf-8")
    before = scores_file.stat().st_mtime_ns
    assert run(*command).code == 0
    assert scores_file.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_failed_run_is_named_and_the_exit_code_is_1(
    run: Run, random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(runs: Any, *_: Any) -> list[Failure]:
        return [Failure(runs[0], "was killed by signal 9")]

    monkeypatch.setattr(scheduler, "run_all", failing)
    done = run(
        "tables", "3", "--config", random_data / "run.yaml", "--test", random_data, "--out", tmp_path / "t",
        "--rows", "longest", "--seeds", "1",
    )  # fmt: skip
    assert done.code == 1
    assert done.err.startswith("stage: longest, seed 2018 failed: was killed by signal 9; see ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("9",), "9"),
        (("3", "--rows", "nothing"), "nothing"),
        (("3", "--test", "nowhere"), "nowhere"),
        (("3", "--config", "nowhere.yaml"), "nowhere.yaml: can't be read"),
        (("3", "--out", "file.txt"), "file.txt"),
        (("3", "--seeds", "0"), "invalid value for '--seeds'"),
        (("3", "--set", "training.epoch=3"), "training.epoch: there is no such setting"),
        (("3", "--out", "mine"), "mine/table_3.csv: exists and is not a table"),
    ],
)
def test_tables_that_can_not_be_made_are_refused_before_any_run(
    run: Run,
    random_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scheduler, "run_all", None)
    Path("file.txt").write_text("hello")
    Path("mine").mkdir()
    Path("mine/table_3.csv").write_text("name,mark\nMia,1\n")
    options = dict.fromkeys(("--config", "--test"), random_data) | {"--config": random_data / "run.yaml"}
    given = [*arguments]
    for option, value in options.items():
        if option not in given:
            given += [option, str(value)]
    done = run("tables", *given)
    assert done.refused(reason), done
    assert Path("mine/table_3.csv").read_text() == "name,mark\nMia,1\n"
    assert not Path("mine/table_3.md").exists()


def test_a_second_process_is_refused_in_the_folder_of_tables(
    run: Run, random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "run_all", None)
    out = tmp_path / "tables"
    with locked(out, "stage tables"):
        done = run("tables", "3", "--config", random_data / "run.yaml", "--test", random_data, "--out", out)
    assert done.refused("tables: is in use by stage tables"), done


def test_the_demo_counts_its_right_answers_and_shows_them_on_a_page(
    run: Run, sitcom_data: Path, sitcom_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"

    def copied(*_: Any, **__: Any) -> None:
        shutil.copytree(sitcom_data, out, dirs_exist_ok=True)

    monkeypatch.setattr(episodes, "write_sitcom", copied)
    assert run("demo", out, "--model", "nowhere").refused("nowhere: no such model")
    assert not (out / "episodes").exists()
    done = run("demo", out, "--questions", "3", "--model", sitcom_model)
    assert done.code == 0, done
    asked = read_questions(sitcom_data / "questions.json")[:3]
    lines = done.out.splitlines()
    right = 0
    for question, asked_line, answer_line in zip(asked, lines[::2], lines[1::2], strict=False):
        assert asked_line == f"{question.clip}: {question.text}"
        answer, _, rest = answer_line.strip().partition("  (")
        verdict = "right" if answer == question.answers[question.answer_index or 0] else "wrong"
        assert rest.startswith(f"{verdict}; shown ")
        right += verdict == "right"
    verb = "is" if right == 1 else "are"
    assert lines[6:8] == ["", f"answered by {sitcom_model}; {UNMEASURED}"]
    assert lines[8:] == ["", f"{right} of 3 answers {verb} right. Evidence page:", str(out / "evidence.html")]
    assert EVIDENCE_PAGE.matches(out / "evidence.html")
    page = (out / "evidence.html").read_text("utf-8")
    assert page.count('<section class="answers">') == 3
    assert run("demo", out, "--questions", "0").refused("invalid value for '--questions'")
    (tmp_path / "file").touch()
    assert run("demo", tmp_path / "file").refused("can't be written")
