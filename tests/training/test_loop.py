"""Training, from a configuration to a model and its scores."""

from __future__ import annotations

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from samples.baselines import TEXT_DIM
from samples.data_folder import random_run
from samples.sitcom import RUN
from stage.data.batch import Batch
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.inference.model_folder import load_model
from stage.inference.score import predict_all
from stage.io import write_json
from stage.model.build import KINDS
from stage.training.config import RunConfig, load_config
from stage.training.loop import TrainingModule, train


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_is_trained_saved_and_loaded(random_data: Path, tmp_path: Path, kind: str) -> None:
    trained, scores = train(random_run(random_data, tmp_path, f"model.kind={kind}"), progress=False)
    loaded = load_model(tmp_path / "model")
    assert loaded.model.config == trained.model.config
    assert (loaded.model.config.kind, loaded.model.config.text_dim) == (kind, TEXT_DIM)
    questions = open_questions(random_data, loaded.limits)
    loaded.check_features(questions.source.attributes, questions.name)
    assert list(predict_all(loaded, questions)) == list(predict_all(trained, questions))
    assert scores.qa_accuracy is not None
    assert (scores.temporal_miou is not None) == loaded.model.config.localises
    assert (scores.answer_span_accuracy is not None) == loaded.model.config.localises
    assert (scores.grounding_map is not None) == (kind in ("stage", "late_fusion"))


def test_a_missing_gpu_is_reported_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = RunConfig.model_validate(
        {
            "data": {"train": tmp_path / "none", "val": tmp_path / "none"},
            "output": tmp_path,
            "training": {"device": "gpu"},
        }
    )
    with pytest.raises(InputError, match=r"training\.device: PyTorch sees no GPU"):
        train(config, progress=False)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_model_is_that_of_the_kept_epoch(sitcom_data: Path, tmp_path: Path, keep: str) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path))
    settings = ["training.epochs=3", "training.learning_rate=0.01", f"training.keep={keep}"]
    trained, _ = train(load_config(config, settings), progress=False)
    checkpoint = torch.load(tmp_path / "checkpoints" / f"{keep}.ckpt", weights_only=True)
    for name, weight in trained.model.state_dict().items():
        torch.testing.assert_close(weight, checkpoint["state_dict"][f"model.{name}"], rtol=0, atol=0)
    assert keep == "best" or checkpoint["epoch"] == 2


def test_regions_of_a_detector_are_not_embedded_as_words(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "run"))
    settings = ["model.regions_as_words=true", "model.region_components=null"]
    with pytest.raises(InputError, match=r"the regions of .* are .*, not visual concepts of minilm"):
        train(load_config(config, settings), progress=False)


def test_gradients_do_not_depend_on_the_micro_batch_size(
    sitcom_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "run"))
    steps: list[float] = []
    monkeypatch.setattr(
        TrainingModule,
        "on_before_optimizer_step",
        lambda module, _: steps.append(
            math.hypot(*(float(p.grad.norm()) for p in module.model.parameters()))
        ),
    )
    for at_once in (2, 8):
        settings = [
            "training.batch_size=8",
            f"training.at_once={at_once}",
            "model.dropout=0.0",
            "model.local_features=false",
        ]
        train(load_config(config, settings), resume=False, progress=False)
    whole = len(steps) // 2
    assert whole == 2
    assert steps[0] == pytest.approx(steps[whole], rel=1e-3)


def test_validation_questions_without_answers_are_refused(random_data: Path, tmp_path: Path) -> None:
    unanswered = tmp_path / "unanswered"
    shutil.copytree(random_data, unanswered)
    questions = json.loads((unanswered / "questions.json").read_text())
    write_json(unanswered / "questions.json", [{**q, "answer_idx": None} for q in questions])
    config = random_run(random_data, tmp_path / "out", f"data.val={unanswered}")
    with pytest.raises(InputError, match=r"unanswered: no question has an answer_idx.*data\.val"):
        train(config, progress=False)


@pytest.mark.slow
def test_a_run_reads_no_checkpoint_of_the_working_directory(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under SLURM, Lightning looks for hpc_ckpt_N.ckpt where it was started, whatever run that is of."""
    alone, _ = train(random_run(random_data, tmp_path / "alone"), progress=False)
    foreign = random_run(random_data, tmp_path / "foreign", "training.seed=7")
    train(foreign, progress=False)
    shutil.copy(tmp_path / "foreign" / "checkpoints" / "last.ckpt", tmp_path / "hpc_ckpt_1.ckpt")
    monkeypatch.chdir(tmp_path)
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "12345"}.items():
        monkeypatch.setenv(name, value)
    handler = signal.getsignal(signal.SIGUSR1)
    on_slurm, _ = train(random_run(random_data, tmp_path / "slurm"), progress=False)
    assert signal.getsignal(signal.SIGUSR1) == handler
    for ours, theirs in zip(alone.model.parameters(), on_slurm.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_training(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = random_run(random_data, tmp_path, "training.epochs=3")
    step = TrainingModule.training_step

    def broken_in_the_second_epoch(module: TrainingModule, batch: Batch, number: int) -> torch.Tensor:
        if module.current_epoch == 1:
            batch = replace(batch, words=batch.words * math.nan)
        return step(module, batch, number)

    monkeypatch.setattr(TrainingModule, "training_step", broken_in_the_second_epoch)
    with pytest.raises(InputError, match=r"NaN in epoch 2.*epochs before are kept"):
        train(config, progress=False)
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 0
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())
