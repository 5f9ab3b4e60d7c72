"""Runs that were stopped, killed or out of disk space end as undisturbed ones; broken files are set aside."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from samples.bert import write_bert
from samples.data_folder import random_run
from stage.data.layouts.registry import read_annotation
from stage.errors import InputError
from stage.lock import locked
from stage.training.config import RunConfig
from stage.training.loop import train
from stage.training.module import TrainingModule
from stage.training.text_encoder import PreTraining, finetune

EPOCHS = 4
RATE = "training.learning_rate=0.02"


def run_config(data: Path, out: Path, *overrides: str, model: str = "hidden: 8") -> RunConfig:
    long = [f"training.epochs={EPOCHS}", "training.patience=99", RATE]
    return random_run(data, out, *long, *overrides, model=model)


def checkpoint_of(out: Path, name: str = "last") -> dict[str, Any]:
    checkpoint = torch.load(out / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert isinstance(checkpoint, dict)
    return checkpoint


def same(a: Any, b: Any) -> bool:
    """Whether two checkpoints are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    return bool(a == b)


def assert_same(out: Path, other: Path, *names: str) -> None:
    for name in names:
        a, b = checkpoint_of(out, name), checkpoint_of(other, name)
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "draws"):
            assert same(a[part], b[part]), (name, part)


def stops(
    monkeypatch: pytest.MonkeyPatch, module: type, moments: list[tuple[int, int]], stop: Callable[[], None]
) -> None:
    """Calls `stop` in these steps of these epochs, once each."""
    left = list(moments)
    step = module.training_step  # type: ignore[attr-defined]

    def training_step(self: Any, batch: Any, number: int) -> Any:
        loss = step(self, batch, number)
        if left and (self.current_epoch, number) == left[0]:
            left.pop(0)
            stop()
        return loss

    monkeypatch.setattr(module, "training_step", training_step)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("model", ["hidden: 8", "hidden: 8, kind: multi_task"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_training_ends_as_an_undisturbed_one(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, model: str
) -> None:
    def config(out: str) -> RunConfig:
        return run_config(random_data, tmp_path / out, f"data.workers={workers}", model=model)

    train(config("whole"))
    assert not same(
        checkpoint_of(tmp_path / "whole")["draws"], checkpoint_of(tmp_path / "whole", "previous")["draws"]
    )
    stops(monkeypatch, TrainingModule, [(0, 1), (2, 0), (3, 1)], interrupt)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train(config("broken"))
    train(config("broken"))
    assert_same(tmp_path / "broken", tmp_path / "whole", "best", "last", "previous")


@pytest.mark.slow
def test_a_resumed_fine_tuning_ends_as_an_undisturbed_one(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = str(write_bert(tmp_path / "bert"))

    def run(out: str) -> None:
        finetune(start, tmp_path / out, *read_annotation(random_data), epochs=EPOCHS, batch_size=2)

    run("whole")
    stops(monkeypatch, PreTraining, [(0, 1), (2, 0), (3, 1)], interrupt)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run("broken")
    run("broken")
    assert_same(tmp_path / "broken", tmp_path / "whole", "last", "previous")
    models = [(tmp_path / out / "model.safetensors").read_bytes() for out in ("whole", "broken")]
    assert models[0] == models[1]


@pytest.mark.slow
def test_a_training_that_is_killed_and_resumed_ends_as_an_undisturbed_one(
    random_data: Path, tmp_path: Path
) -> None:
    settings = [f"training.epochs={40}", "training.patience=99", RATE]
    train(random_run(random_data, tmp_path / "whole", *settings))
    random_run(random_data, tmp_path / "killed")
    rng = Random(28)
    command = [sys.executable, "-m", "stage", "train", str(tmp_path / "killed" / "run.yaml")]
    process = subprocess.Popen(
        [*command, *(part for setting in settings for part in ("--set", setting))],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    until = f"epoch {rng.randint(2, 30)} of"
    for line in process.stderr:
        if line.startswith(until):
            break
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    train(random_run(random_data, tmp_path / "killed", *settings))
    assert_same(tmp_path / "killed", tmp_path / "whole", "best", "last")


def damaged(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1  # among the weights
    checkpoint.write_bytes(content)


def of_another_run(checkpoint: Path) -> None:
    loaded = torch.load(checkpoint, weights_only=True)
    loaded["record"]["settings"]["model"]["system"]["hidden"] = 24
    torch.save(loaded, checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(b""), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(os.urandom(5000)), "can't be read as a checkpoint"),
        (damaged, "can't be read as a checkpoint"),
        (lambda path: torch.save({"epoch": 3}, path), "is no checkpoint of a run"),
        (of_another_run, "is of another run: model.hidden was 24, now 8"),
        (Path.unlink, "is missing"),  # a kill between two renames
    ],
)
def test_a_checkpoint_that_cant_be_used_is_set_aside_for_the_one_before(
    random_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], None],
    reason: str,
) -> None:
    config = run_config(random_data, tmp_path)
    train(config)
    whole = checkpoint_of(tmp_path)
    last = tmp_path / "checkpoints" / "last.ckpt"
    change(last)
    capsys.readouterr()
    train(config)
    assert re.fullmatch(rf".*last\.ckpt: {re.escape(reason)}.*the epoch before\n", capsys.readouterr().err)
    assert last.with_name("last.ckpt.unreadable").exists() == (change is not Path.unlink)
    assert same(checkpoint_of(tmp_path)["state_dict"], whole["state_dict"])


@pytest.mark.slow
def test_without_any_checkpoint_that_can_be_read_a_run_starts_again(
    random_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = run_config(random_data, tmp_path)
    train(config)
    whole = checkpoint_of(tmp_path)
    for name in ("last", "previous"):
        (tmp_path / "checkpoints" / f"{name}.ckpt").write_bytes(b"")
    train(config)
    assert capsys.readouterr().err.count("the run starts again") == 2
    assert same(checkpoint_of(tmp_path)["state_dict"], whole["state_dict"])
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"best\.ckpt: can't be read .* so the best epoch is lost; .*--no-resume"
    ):
        train(config)


@pytest.mark.slow
def test_weights_of_another_model_are_refused_in_one_line(random_data: Path, tmp_path: Path) -> None:
    train(run_config(random_data, tmp_path))
    loaded = checkpoint_of(tmp_path)
    del loaded["record"]  # as of an earlier version
    loaded["state_dict"] = {"weights": torch.zeros(3)}
    torch.save(loaded, tmp_path / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match=r"of another model; choose another output"):
        train(run_config(random_data, tmp_path))


@pytest.mark.slow
def test_a_full_disk_ends_a_training_with_one_line_and_keeps_the_epochs_before(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(run_config(random_data, Path("whole")))
    write, written = Path.write_bytes, []

    def full(path: Path, content: bytes) -> int:
        if "last" in path.name:
            written.append(path)
        if len(written) == 3:
            write(path, content[:9])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match=r"^out/checkpoints/last\.ckpt: .*No space left on device"):
            train(run_config(random_data, Path("out")))
    kept = {path.name for path in Path("out/checkpoints").iterdir()}
    assert kept == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert checkpoint_of(Path("out"))["epoch"] == 1
    train(run_config(random_data, Path("out")))
    assert_same(Path("out"), Path("whole"), "best", "last")


@pytest.mark.slow
def test_logs_that_cant_be_written_are_one_line_that_says_what_is_kept(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stops(monkeypatch, TrainingModule, [(1, 0)], full)
    with pytest.raises(
        InputError, match=r"No space left on device\); 1 finished epoch kept in .*same command"
    ):
        train(run_config(random_data, tmp_path))


@pytest.mark.slow
def test_sigterm_ends_a_training_with_143_also_in_other_programs(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    stops(monkeypatch, TrainingModule, [(1, 0)], lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        train(run_config(random_data, tmp_path))
    assert ended.value.code == 143
    assert "training was interrupted: 1 finished epoch kept in" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_second_process_is_refused_in_the_same_output(random_data: Path, tmp_path: Path) -> None:
    config = run_config(random_data, tmp_path / "out")
    start = str(write_bert(tmp_path / "bert"))
    with locked(tmp_path / "out", "another"):
        with pytest.raises(InputError, match=r"out: is in use by another"):
            train(config)
        with pytest.raises(InputError, match=r"out: is in use by another"):
            finetune(start, tmp_path / "out", *read_annotation(random_data))
    assert not (tmp_path / "out" / "checkpoints").exists()


def without_projections(loaded: dict[str, Any]) -> None:
    del loaded["record"]["projections"]


def of_an_odd_version(loaded: dict[str, Any]) -> None:
    loaded["pytorch-lightning_version"] = True


@pytest.mark.slow
@pytest.mark.parametrize("change", [without_projections, of_an_odd_version])
def test_a_checkpoint_that_cant_be_restored_is_named(
    random_data: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    config = run_config(random_data, tmp_path)
    train(config)
    last = tmp_path / "checkpoints" / "last.ckpt"
    loaded = torch.load(last, weights_only=True)
    change(loaded)
    torch.save(loaded, last)
    with pytest.raises(InputError, match=r"last\.ckpt: can't be restored"):
        train(config)
    last.unlink()
    train(config)
