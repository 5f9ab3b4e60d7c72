"""A stopped run is resumed as if it had never stopped; other settings are refused."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from samples.sitcom import RUN
from stage.data.batch import Batch
from stage.errors import InputError
from stage.training.config import load_config
from stage.training.loop import train
from stage.training.module import TrainingModule
from stage.training.resuming import PARTS, find_run, start_run


def test_training_is_resumed_from_the_last_epoch_after_a_stop(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "out"))
    train(load_config(config))
    saved = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["epoch"] == 0
    train(load_config(config, ["training.epochs=2"]))
    saved = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4
    assert len(list((tmp_path / "out" / "logs").rglob("metrics.csv"))) == 2


def test_a_run_with_other_settings_is_not_resumed(sitcom_data: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(RUN.format(data=sitcom_data, out=out))
    train(load_config(config))
    last = out / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    for changes, message in (
        (["model.hidden=24"], r"model\.hidden was 16, now 24\).*--no-resume"),
        (["training.learning_rate=0.01"], r"training\.learning_rate was 0\.001, now 0\.01"),
        (["training.epochs=2", "training.schedule=cosine"], r"training\.epochs was 1, now 2"),
    ):
        with pytest.raises(InputError, match=message):
            train(load_config(config, changes))
    assert last.read_bytes() == before
    train(load_config(config, ["model.hidden=24"]), resume=False)
    assert last.read_bytes() != before
    train(load_config(config, ["model.hidden=24", "training.at_once=8"]))
    (out / "settings.json").write_text('{"data": {}}', "utf-8")
    with pytest.raises(InputError, match=r"contains a run of another version.*--no-resume"):
        train(load_config(config))


@pytest.mark.parametrize("content", ['{"editor.tabSize": 4}', "[]", "{ // mine"])
def test_another_file_named_as_the_settings_is_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"settings\.json: exists and is of no run; choose another output"):
        find_run(tmp_path, {"epochs": 3}, {}, advice="choose another OUT")
    assert (tmp_path / "settings.json").read_text("utf-8") == content
    (tmp_path / "settings.json").write_text('{"epochs": 2, "old": 1}', "utf-8")
    found = find_run(
        tmp_path, {"epochs": 3}, {}, advice="choose another OUT"
    )  # of a run that finished no epoch
    start_run(tmp_path, {"epochs": 3}, found)
    assert json.loads((tmp_path / "settings.json").read_text("utf-8")) == {"epochs": 3}


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)


@pytest.mark.slow
@given(
    st.binary(max_size=40)
    | JSON.map(lambda content: json.dumps(content).encode())
    | st.just(b'{"epochs": 3}'),
    st.binary(max_size=40)
    | JSON
    | st.fixed_dictionaries({"epoch": st.integers(0, 9), "record": st.none() | JSON})
    | st.fixed_dictionaries(
        {**{name: st.just(kind()) for name, kind in PARTS.items()}, "epoch": st.integers(0, 9)}
    ),
)
def test_a_run_folder_with_any_content_is_resumed_or_refused(settings: bytes, checkpoint: object) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "checkpoints", "last.ckpt")
        path.parent.mkdir()
        Path(folder, "settings.json").write_bytes(settings)
        if isinstance(checkpoint, bytes):
            path.write_bytes(checkpoint)
        else:
            torch.save(checkpoint, path)
        try:
            found = find_run(Path(folder), {"epochs": 3}, {}, advice="choose another OUT")
        except InputError:
            assert settings != b'{"epochs": 3}'
            return
        assert json.loads(settings) == {"epochs": 3}
        if isinstance(checkpoint, dict) and checkpoint.keys() >= PARTS.keys():
            assert (found.epochs, found.unreadable) == (checkpoint["epoch"] + 1, {})
        else:
            assert (found.epochs, list(found.unreadable)) == (0, [path])
        start_run(Path(folder), {"epochs": 3}, found)
        assert path.exists() == (found.epochs > 0)


class Order(TrainingModule):
    """Records which questions it is trained on."""

    seen: ClassVar[list[list[float]]] = []

    def training_step(self, parts: list[Batch], number: int) -> Tensor:
        self.seen.append([value for part in parts for value in part.words.double().sum((1, 2, 3)).tolist()])
        return super().training_step(parts, number)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_run_sees_the_batches_of_an_uninterrupted_one(
    sitcom_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("stage.training.loop.TrainingModule", Order)
    config = tmp_path / "run.yaml"

    def seen(out: str, epochs: int) -> list[list[float]]:
        config.write_text(RUN.format(data=sitcom_data, out=tmp_path / out))
        settings = [f"training.epochs={epochs}", f"data.workers={workers}"]
        Order.seen.clear()
        train(load_config(config, settings))
        return list(Order.seen)

    unbroken = seen("unbroken", 3)
    assert unbroken[:2] != unbroken[2:4] != unbroken[4:]
    assert [*seen("broken", 1), *seen("broken", 3)] == unbroken


def test_a_run_that_ran_out_of_patience_is_resumed_only_with_more(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path))
    still = [
        "training.epochs=9",
        "training.learning_rate=1e-12",
    ]  # nothing is learnt: the first epoch is the best

    def last_epoch(patience: int) -> int:
        train(load_config(config, [*still, f"training.patience={patience}"]))
        return int(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"])

    assert [last_epoch(1), last_epoch(1), last_epoch(3)] == [1, 1, 3]


def test_a_resumed_run_counts_validations_without_improvement(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"

    def without_progress(out: str, *epochs: int) -> int:
        config.write_text(RUN.format(data=sitcom_data, out=tmp_path / out))
        for number in epochs:
            still = ["training.learning_rate=1e-12", f"training.epochs={number}"]
            train(load_config(config, still))
        last = torch.load(tmp_path / out / "checkpoints" / "last.ckpt", weights_only=True)
        return int(last["lr_schedulers"][0]["num_bad_epochs"])

    assert [without_progress("unbroken", 3), without_progress("broken", 1, 2, 3)] == [2, 2]


def test_a_run_that_was_moved_keeps_its_best_epoch(sitcom_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=sitcom_data, out=tmp_path / "here"))
    still = ["training.epochs=2", "training.learning_rate=1e-12"]
    train(load_config(config, still))
    (tmp_path / "here").rename(tmp_path / "there")
    moved = load_config(config, [*still, "training.epochs=3", f"output={tmp_path / 'there'}"])
    for run in (moved, moved):  # resumed, then only loaded
        train(run)
        best = torch.load(tmp_path / "there" / "checkpoints" / "best.ckpt", weights_only=True)
        assert best["epoch"] == 0
    assert not (tmp_path / "here").exists()
