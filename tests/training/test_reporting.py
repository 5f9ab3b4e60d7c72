"""What training says: a line per epoch, nothing of Lightning's, and what is kept after an interrupt."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from samples.command_line import Run
from samples.data_folder import random_run
from stage.training.loop import train
from stage.training.module import TrainingModule
from stage.training.reporting import epoch_in_words

EPOCH = r"epoch {} of 2: loss [\d.]+, accuracy [\d.]+ %; validation: QA Acc. [\d.]+ %, .*; \d+ s\n"


def test_what_is_not_known_of_an_epoch_is_left_out() -> None:
    assert epoch_in_words({"train/loss": 0.51234, "other": 2.0}) == "loss 0.5123"
    logged = {"train/loss": 1.0, "train/accuracy": 0.5, "val/accuracy": 0.25, "val/map": float("nan")}
    assert epoch_in_words(logged) == "loss 1.0000, accuracy 50.00 %; validation: QA Acc. 25.00 %"


@pytest.mark.slow
def test_a_training_prints_a_line_per_epoch_and_nothing_else(
    run: Run, random_data: Path, tmp_path: Path
) -> None:
    random_run(random_data, tmp_path / "out")
    config = tmp_path / "out" / "run.yaml"
    first = run("train", config)
    resumed = run("train", config, "--set", "training.epochs=2")
    assert (first.code, resumed.code) == (0, 0)
    assert re.fullmatch(EPOCH.format(1).replace("of 2", "of 1"), first.err)
    assert re.fullmatch(EPOCH.format(2), resumed.err)
    assert resumed.out.endswith("out/model: the trained model\n")


@pytest.mark.slow
def test_progress_is_told_for_every_step_of_all_epochs(random_data: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    train(random_run(random_data, tmp_path), progress=lambda *step: seen.append(step))
    train(random_run(random_data, tmp_path, "training.epochs=2"), progress=lambda *step: seen.append(step))
    second = [(3, 4, "epoch 2 of 2"), (4, 4, "epoch 2 of 2")]
    assert seen == [(1, 2, "epoch 1 of 1"), (2, 2, "epoch 1 of 1"), *second]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_an_interrupted_training_ends_with_130_or_143_and_says_what_is_kept(
    random_data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    random_run(random_data, tmp_path)
    endless = ["--set", "training.epochs=3000", "--set", "training.patience=3000", "--set", "data.workers=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stage", "train", str(tmp_path / "run.yaml"), *endless],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal interrupts all processes of a command
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 3 of 3000"):
            break
    os.killpg(process.pid, number)
    *epochs, last, interrupted = process.stderr.read().splitlines()
    assert process.wait() == 128 + number
    assert all(line.startswith("epoch") for line in epochs)
    kept = re.fullmatch(
        r"training was interrupted: (\d+) finished epochs kept in (.*); to resume, run the same command again",
        last,
    )
    assert kept is not None
    assert int(kept[1]) >= 2
    assert kept[2] == str(tmp_path / "checkpoints")
    assert interrupted.startswith("stage: interrupted")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epoch", "kept"),
    [
        (0, "nothing is kept yet"),
        (1, r"1 finished epoch kept in .*, run the same command without --no-resume again"),
    ],
)
def test_an_interrupt_in_the_first_epoch_keeps_nothing(
    random_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    epoch: int,
    kept: str,
) -> None:
    def interrupted(module: TrainingModule) -> None:
        if module.current_epoch == epoch:
            raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(TrainingModule, "on_train_epoch_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(random_run(random_data, tmp_path, "training.epochs=2"), resume=False)
    assert re.search(f"training was interrupted: .*{kept}", capsys.readouterr().err)
    assert signal.getsignal(signal.SIGINT) == handler
