"""A run keeps the data and the projections that it began with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from samples.data_folder import TEXT_DIM, random_run
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.inference.model_folder import load_model
from stage.io import write_json
from stage.training.config import RunConfig
from stage.training.loop import train
from stage.types import Regions

PROJECTED = "hidden: 8, region_components: 4"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def another_answer(data: Path) -> None:
    questions = json.loads((data / "questions.json").read_text())
    write_json(data / "questions.json", [{**questions[0], "answer_idx": 2}, *questions[1:]])


def another_sentence(data: Path) -> None:
    subtitles = json.loads((data / "subtitles.json").read_text())
    subtitles["clip1"]["sub_time"][0] += 0.5
    write_json(data / "subtitles.json", subtitles)


def another_length(data: Path) -> None:
    write_json(data / "frames.json", {"clip0": 24, "clip1": 21})


def more_frames(data: Path) -> None:
    """What `stage features` does for a film that has become longer."""
    store = FeatureStore.open(data / "features")
    known = store.clip("clip0")
    frames = {frame: known[frame] for frame in known}
    first = frames[1]
    store.put_clip("clip0", {**frames, 25: Regions(first.boxes, first.scores, 3 * first.features)})


@pytest.fixture
def own_data(random_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_data, tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "part"),
    [
        (another_answer, "questions"),
        (another_sentence, "subtitles"),
        (another_length, "frame counts"),
        (more_frames, "features"),
    ],
)
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_run_is_not_resumed_on_other_data(
    random_data: Path, own_data: Path, tmp_path: Path, change: Callable[[Path], None], part: str, epochs: int
) -> None:
    """Neither a finished one (of one epoch) nor one that goes on."""
    out = tmp_path / "out"

    def run(epochs: int) -> RunConfig:
        longer = f"training.epochs={epochs}"
        return random_run(own_data, out, f"data.val={random_data}", longer, model=PROJECTED)

    train(run(1))
    config, before = run(epochs), contents(out)
    change(own_data)
    message = rf"began with other data \({part} of data\.train\); restore them, .* --no-resume"
    with pytest.raises(InputError, match=message):
        train(config)
    after = contents(out)
    assert {**after, "run.yaml": b""} == {**before, "run.yaml": b""}
    train(config, resume=False)
    assert contents(out) != before


@pytest.mark.slow
def test_other_validation_data_are_named(random_data: Path, own_data: Path, tmp_path: Path) -> None:
    config = random_run(random_data, tmp_path / "out", f"data.val={own_data}")
    train(config)
    another_answer(own_data)
    with pytest.raises(InputError, match=r"\(questions of data\.val\)"):
        train(config)


@pytest.mark.slow
def test_a_resumed_run_keeps_its_projections(
    random_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = random_run(random_data, tmp_path, model=f"{PROJECTED}, whiten: true")
    trained, _ = train(config)
    monkeypatch.setattr("stage.data.question_set.fit_projection", None)  # it is not fitted again
    again, _ = train(config)
    longer, _ = train(
        random_run(random_data, tmp_path, "training.epochs=2", model=f"{PROJECTED}, whiten: true")
    )
    for model in (again, longer, load_model(tmp_path / "model")):
        arrays, first = model.projections.to_arrays(), trained.projections.to_arrays()
        assert arrays.keys() == first.keys() == {f"{of}.{name}" for of in ("words", "regions") for name in (
            "mean", "components", "explained")}  # fmt: skip
        assert all(np.array_equal(arrays[name], first[name]) for name in first)
    assert trained.projections.words is not None
    assert trained.projections.words.dim == TEXT_DIM


@pytest.mark.slow
def test_a_run_of_an_earlier_version_is_resumed_if_it_projects_nothing(
    random_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, model in (("plain", "hidden: 8"), ("projected", PROJECTED)):
        config = random_run(random_data, tmp_path / name, model=model)
        train(config)
        path = tmp_path / name / "checkpoints" / "last.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        del checkpoint["record"]
        torch.save(checkpoint, path)
        if name == "plain":
            capsys.readouterr()
            train(config)
            assert "of an earlier version, which doesn't record its data" in capsys.readouterr().err
        else:
            with pytest.raises(
                InputError, match=r"earlier version, .*how its features were projected.*--no-resume"
            ):
                train(config)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_of_something_else_are_kept(
    random_data: Path, tmp_path: Path, resume: bool, name: str
) -> None:
    (tmp_path / "checkpoints").mkdir()
    for file in (f"{name}.ckpt", "other.bin"):
        (tmp_path / "checkpoints" / file).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=rf"{name}\.ckpt: exists, but there is no .*settings\.json of a run"):
        train(random_run(random_data, tmp_path), resume=resume)
    assert {k: v for k, v in contents(tmp_path).items() if k != "run.yaml"} == before


@pytest.mark.slow
def test_starting_over_removes_only_what_the_run_has_written(random_data: Path, tmp_path: Path) -> None:
    config = random_run(random_data, tmp_path)
    train(config)
    (tmp_path / "checkpoints" / "mine.ckpt").write_text("mine")
    train(config, resume=False)
    assert (tmp_path / "checkpoints" / "mine.ckpt").read_text() == "mine"
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 0
