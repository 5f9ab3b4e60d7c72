"""Runs in processes side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from samples.runs import result, runs_of
from stage.experiments.jobs.runs import read_results, write_result
from stage.experiments.jobs.scheduler import run_all
from stage.experiments.jobs.worker import train_and_score
from stage.experiments.tables.audit import UNKNOWN
from stage.experiments.tables.paper import TABLE_3
from stage.experiments.tables.publish import publish
from stage.io import write_json


@pytest.mark.slow
def test_runs_are_executed_once_and_a_failure_stops_no_other(random_data: Path, tmp_path: Path) -> None:
    stage, longest = runs_of(random_data, tmp_path, "stage", "longest")
    broken = longest.model_copy(update={"test": tmp_path / "nowhere"})
    finished: list[int] = []
    failures = run_all([stage, broken], 2, lambda done, total, state: finished.append(done))
    assert [(failure.run.name, "nowhere" in failure.reason) for failure in failures] == [
        ("longest, seed 2018", True)
    ]
    assert finished[-1] == 2
    (found,) = read_results(tmp_path)
    assert (found.system, found.seed, found.text) == ("stage", 2018, "air")
    assert found.scores_given_span is not None
    assert found.minutes is not None
    assert runs_of(random_data, tmp_path, "stage", "longest") == [longest]
    write_result(longest.folder, train_and_score(longest))
    publish([TABLE_3], tmp_path, Console(quiet=True))
    assert "| longest answer | 33.33 | - | - | - |" in (tmp_path / "table_3.md").read_text()
    assert f"| {UNKNOWN} |" in (tmp_path / "audit.md").read_text()


def test_a_run_that_another_command_has_finished_is_left_alone(random_data: Path, tmp_path: Path) -> None:
    (run,) = runs_of(random_data, tmp_path, "stage")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, result("stage", run.config.training.seed))
    (run.folder / "log.txt").write_text("what it said\n")
    before = (run.folder / "scores.json").read_bytes()
    assert run_all([run], 1, lambda done, total, state: None) == []
    assert (run.folder / "scores.json").read_bytes() == before
    assert (run.folder / "log.txt").read_text() == "what it said\n"
