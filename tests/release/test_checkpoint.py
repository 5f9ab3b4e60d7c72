"""Checkpoints of the release become models of ours; nothing in them is run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from golden import COMPACT, Golden
from samples.release_weights import release_name
from stage.errors import InputError
from stage.inference.model_folder import load_model, save_model
from stage.io import write_json
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.checkpoint import import_checkpoint
from stage.release.weights import from_release


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.read(COMPACT)


def checkpoint(golden: Golden, path: Path) -> Path:
    torch.save(golden.weights, path)
    return path


def test_an_imported_checkpoint_answers_as_the_release_does(golden: Golden, tmp_path: Path) -> None:
    model = import_checkpoint(checkpoint(golden, tmp_path / "best.pth"))
    save_model(model, tmp_path / "model")
    with torch.inference_mode():
        logits = load_model(tmp_path / "model").model.answer(golden.batch).logits
    assert torch.allclose(logits, golden.tensor("eval/answer_scores"), rtol=1e-4, atol=1e-4)


def test_weights_under_a_key_and_of_data_parallel_training_are_recognised(
    golden: Golden, tmp_path: Path
) -> None:
    path = tmp_path / "wrapped.pth"
    torch.save({"model": {f"module.{name}": value for name, value in golden.weights.items()}}, path)
    assert import_checkpoint(path).model.config == from_release(golden.weights).config


class Unsafe:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_a_pickle_that_could_run_code_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Unsafe()}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match="state_dict"):
        import_checkpoint(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"t_iter": 1}, "t_iter"),
        ({"hsz": 99}, "hsz is 99"),
        ({"add_local": False}, "add_local"),
        ([], "no options"),
    ],
)
def test_options_that_contradict_the_weights_are_named(
    golden: Golden, tmp_path: Path, options: Any, reason: str
) -> None:
    write_json(tmp_path / "opt.json", options)
    with pytest.raises(InputError, match=reason):
        import_checkpoint(checkpoint(golden, tmp_path / "best.pth"), tmp_path / "opt.json")


def test_what_the_weights_do_not_determine_comes_from_the_options(golden: Golden, tmp_path: Path) -> None:
    options = {"t_iter": 0, "scale": 7.5, "extra_span_length": 2, "max_vcpt_l": 20, "add_local": True}
    write_json(tmp_path / "opt.json", options)
    write_json(tmp_path / "words.json", ["Mug", "penny"])
    path = checkpoint(golden, tmp_path / "best.pth")
    model = import_checkpoint(path, tmp_path / "opt.json", tmp_path / "words.json")
    assert (model.model.config.attention_scale, model.model.config.span_margin) == (7.5, 2)
    assert model.limits.regions == 20
    assert model.concepts == ("mug", "penny")


@pytest.mark.parametrize(
    "config",
    [
        StageConfig(streams="video", local_features=False),
        StageConfig(streams="subtitles", text_dim=300),
        StageConfig(units=3, blocks=2, fusion_units=1, fusion_blocks=3, region_dim=20),
    ],
)
def test_every_variant_of_the_release_is_recognised_by_its_weights(config: StageConfig) -> None:
    theirs = {release_name(name): value for name, value in Stage(config).state_dict().items()}
    found = from_release(theirs).config
    assert found == config.model_copy(
        update={
            "release_padding": True,
            "region_dim": config.region_dim if config.reads_video else found.region_dim,
        }
    )


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        import_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match=r"is no checkpoint of PyTorch; give the \.pth file"):
        import_checkpoint(tmp_path / "text.pth")
    (tmp_path / "empty.pth").touch()
    with pytest.raises(InputError, match="is no checkpoint of PyTorch"):
        import_checkpoint(tmp_path / "empty.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    whole = (tmp_path / "other.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"is incomplete.*\(.+\)"):
        import_checkpoint(tmp_path / "half.pth")
    with pytest.raises(InputError, match="not the weights of STAGE"):
        import_checkpoint(tmp_path / "other.pth")
