"""A run is executed, and resumed after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from samples.runs import runs_of
from stage.errors import InputError
from stage.experiments.jobs.runs import read_run
from stage.experiments.jobs.worker import locked, train_and_score
from stage.io import write_json


@pytest.mark.slow
def test_a_stopped_run_is_resumed_and_its_time_is_not_reported(random_data: Path, tmp_path: Path) -> None:
    (run,) = runs_of(random_data, tmp_path, "backbone")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    whole = train_and_score(run)
    assert whole.minutes is not None
    assert whole.scores_given_span is None
    model = run.folder / "model"
    before = (model / "weights.safetensors").read_bytes()
    assert train_and_score(read_run(run.folder)).scores == whole.scores
    for file in model.iterdir():
        file.unlink()
    model.rmdir()
    again = train_and_score(run)
    assert (again.minutes, again.scores) == (None, whole.scores)
    assert (model / "weights.safetensors").read_bytes() == before


@pytest.mark.slow
def test_the_last_epoch_is_kept_even_if_it_was_no_better(random_data: Path, tmp_path: Path) -> None:
    settings = ("training.epochs=3", "training.learning_rate=1e-12")  # nothing is learnt: the first is best
    (run,) = runs_of(random_data, tmp_path, "questions_only", settings=settings)
    train_and_score(run)
    kept = {
        name: torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert kept == {"best": 0, "last": 2}


def test_two_processes_can_not_execute_the_same_run(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
