"""Which runs are still to be executed, and which results belong to the same run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from samples.places import ROOT
from samples.runs import RESULTS, result, runs_of
from stage.errors import InputError
from stage.experiments.jobs.runs import Run, prepare, read_results, unfinished_runs, write_result
from stage.io import write_json


@pytest.mark.parametrize(
    ("folder", "settings"),
    [("human", ()), ("sitcom", ()), ("sitcom_float32", ("training.precision=float32",))],
)
def test_checked_in_results_are_of_the_configurations_as_they_are(
    folder: str, settings: tuple[str, ...]
) -> None:
    out, name = ROOT / "results" / folder, folder.partition("_")[0]
    systems = sorted({found.system for found in read_results(out)})
    assert systems
    test = Path(f"data/{name}/test")
    assert unfinished_runs(ROOT / "configs" / f"{name}.yaml", test, out, systems, 1, settings) == []


def test_a_run_with_other_settings_is_not_mistaken_for_this_one(random_data: Path, tmp_path: Path) -> None:
    first, second = runs_of(random_data, tmp_path, "stage", seeds=2)
    assert (first.config.training.seed, second.config.training.seed) == (2018, 2019)
    for run in (first, second):
        write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
        write_result(run.folder, result("stage", run.config.training.seed))
    assert runs_of(random_data, tmp_path, "stage", seeds=2, settings=("data.workers=1",)) == []
    with pytest.raises(InputError, match=r"training\.epochs was 1, now 2"):
        runs_of(random_data, tmp_path, "stage", settings=("training.epochs=2",))
    (tmp_path / "other").symlink_to(random_data)
    other = unfinished_runs(random_data / "run.yaml", tmp_path / "other", tmp_path, ["stage"], 1, ())
    assert [run.system for run in other] == ["stage"]


def test_a_run_on_other_data_is_not_mistaken_for_this_one(random_data: Path, tmp_path: Path) -> None:
    data, test = (shutil.copytree(random_data, tmp_path / name) for name in ("data", "test"))
    settings = (f"data.train={data}", f"data.val={data}")

    def unfinished() -> list[Run]:
        return unfinished_runs(random_data / "run.yaml", test, tmp_path, ["stage"], 1, settings)

    (run,) = unfinished()
    prepare(run)
    write_result(run.folder, result("stage", run.config.training.seed))
    assert unfinished() == []
    questions = json.loads((random_data / "questions.json").read_text())
    write_json(test / "questions.json", questions[1:])
    assert unfinished() != []  # it is scored again
    shutil.rmtree(test)
    assert unfinished() == []  # results can be shown without the data
    shutil.copytree(random_data, test)
    write_json(data / "questions.json", questions[1:])
    with pytest.raises(
        InputError, match=r"was run on other data \(questions of data\.train; questions of data\.val\)"
    ):
        unfinished()


def test_the_same_questions_by_another_path_are_the_same(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs_of(random_data, tmp_path, "longest")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, result("longest", run.config.training.seed))
    monkeypatch.chdir(random_data.parent)
    assert (
        unfinished_runs(random_data / "run.yaml", Path(random_data.name), tmp_path, ["longest"], 1, ()) == []
    )


def test_rows_that_need_other_word_vectors_are_skipped(random_data: Path, tmp_path: Path) -> None:
    found = runs_of(random_data, tmp_path, "backbone", "backbone_glove", "longest", seeds=2)
    assert [run.system for run in found] == ["backbone", "longest", "backbone"]


def test_a_row_run_on_a_copy_with_its_word_vectors_is_finished(random_data: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(random_data, copy)
    attributes = copy / "features" / "attributes.json"
    attributes.write_text(attributes.read_text().replace('"text":"air"', '"text":"glove"'))
    settings = (f"data.train={copy}", f"data.val={copy}")
    (run,) = unfinished_runs(random_data / "run.yaml", copy, out, ["backbone_glove"], 1, settings)
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, replace(RESULTS[0], system=run.system, text="glove@6B-50d", test=str(copy)))
    assert runs_of(random_data, out, "backbone_glove") == []
    (tmp_path / "other").symlink_to(copy)
    other = unfinished_runs(
        random_data / "run.yaml", tmp_path / "other", out, ["backbone_glove"], 1, settings
    )
    assert [found.test for found in other] == [tmp_path / "other"]
    with pytest.raises(InputError, match=r"model\.hidden was 8, now 9"):
        runs_of(random_data, out, "backbone_glove", settings=("model.hidden=9",))
