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
from safetensors import safe_open
from safetensors.numpy import save_file

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
from stage.training.loop import train
from stage.training.module import TrainingModule


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_is_trained_saved_and_loaded(random_data: Path, tmp_path: Path, kind: str) -> None:
    trained, scores = train(random_run(random_data, tmp_path, f"model.kind={kind}"))
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
        train(config)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_model_is_that_of_the_kept_epoch(sitcom_data: Path, tmp_path: Path, keep: str) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path))
    settings = ["training.epochs=3", "training.learning_rate=0.01", f"training.keep={keep}"]
    trained, _ = train(load_config(config, settings))
    checkpoint = torch.load(tmp_path / "checkpoints" / f"{keep}.ckpt", weights_only=True)
    for name, weight in trained.model.state_dict().items():
        torch.testing.assert_close(weight, checkpoint["state_dict"][f"model.{name}"], rtol=0, atol=0)
    assert keep == "best" or checkpoint["epoch"] == 2


def test_regions_of_a_detector_are_not_embedded_as_words(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "run"))
    settings = ["model.regions_as_words=true", "model.region_components=null"]
    with pytest.raises(InputError, match=r"the regions of .* are .*, not visual concepts of minilm"):
        train(load_config(config, settings))


def test_gradients_do_not_depend_on_the_micro_batch_size(
    sitcom_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "run"))
    monkeypatch.setattr(  # which negative regions are drawn is chance
        "torch.multinomial",
        lambda weights, count, replacement: weights.argmax(1, keepdim=True).expand(-1, count),
    )
    steps: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(
        TrainingModule,
        "on_before_optimizer_step",
        lambda module, _: steps.append({n: p.grad.clone() for n, p in module.model.named_parameters()}),
    )
    for at_once in (3, 8):
        settings = ["training.batch_size=8", f"training.at_once={at_once}", "model.dropout=0.0"]
        train(load_config(config, settings), resume=False)
    first, _, whole, _ = steps  # later steps start from weights that are rounded otherwise
    for name, gradient in whole.items():
        torch.testing.assert_close(first[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


def test_validation_questions_without_answers_are_refused(random_data: Path, tmp_path: Path) -> None:
    unanswered = tmp_path / "unanswered"
    shutil.copytree(random_data, unanswered)
    questions = json.loads((unanswered / "questions.json").read_text())
    write_json(unanswered / "questions.json", [{**q, "answer_idx": None} for q in questions])
    config = random_run(random_data, tmp_path / "out", f"data.val={unanswered}")
    with pytest.raises(InputError, match=r"unanswered: no question has an answer_idx.*data\.val"):
        train(config)


@pytest.mark.slow
def test_a_run_reads_no_checkpoint_of_the_working_directory(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under SLURM, Lightning looks for hpc_ckpt_N.ckpt where it was started, whatever run that is of."""
    alone, _ = train(random_run(random_data, tmp_path / "alone"))
    foreign = random_run(random_data, tmp_path / "foreign", "training.seed=7")
    train(foreign)
    shutil.copy(tmp_path / "foreign" / "checkpoints" / "last.ckpt", tmp_path / "hpc_ckpt_1.ckpt")
    monkeypatch.chdir(tmp_path)
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "12345"}.items():
        monkeypatch.setenv(name, value)
    handler = signal.getsignal(signal.SIGUSR1)
    on_slurm, _ = train(random_run(random_data, tmp_path / "slurm"))
    assert signal.getsignal(signal.SIGUSR1) == handler
    for ours, theirs in zip(alone.model.parameters(), on_slurm.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_training(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = random_run(random_data, tmp_path, "training.epochs=3")
    step = TrainingModule.training_step

    def broken_in_the_second_epoch(module: TrainingModule, parts: list[Batch], number: int) -> torch.Tensor:
        if module.current_epoch == 1:
            parts = [replace(part, words=part.words * math.nan) for part in parts]
        return step(module, parts, number)

    monkeypatch.setattr(TrainingModule, "training_step", broken_in_the_second_epoch)
    with pytest.raises(InputError, match=r"NaN in epoch 2.*epochs before are kept"):
        train(config)
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 0
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


@pytest.mark.slow
def test_weights_that_are_not_finite_after_the_last_step_of_an_epoch_are_not_kept(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_in_the_last_step(module: TrainingModule, _: object) -> None:
        if module.global_step == 3:  # of epoch 2; its loss was finite
            next(module.model.parameters()).grad.fill_(math.nan)  # type: ignore[union-attr]

    monkeypatch.setattr(TrainingModule, "on_before_optimizer_step", broken_in_the_last_step)
    with pytest.raises(
        InputError, match=r"a weight became infinite or NaN in epoch 2.*epochs before are kept"
    ):
        train(random_run(random_data, tmp_path, "training.epochs=2"))
    for name in ("best", "last"):
        checkpoint = torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["epoch"] == 0
        assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
def test_features_that_are_not_finite_are_named(random_data: Path, tmp_path: Path, split: str) -> None:
    broken = Path(shutil.copytree(random_data, tmp_path / "broken"))
    (path,) = (broken / "features" / "clips").glob("clip1.safetensors")
    with safe_open(path, "np") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    arrays["features"][0, 0] = math.nan
    save_file(arrays, path, metadata)
    with pytest.raises(InputError, match="clip1"):
        train(random_run(random_data, tmp_path / "out", f"data.{split}={broken}"))
    assert not (tmp_path / "out" / "model").exists()
