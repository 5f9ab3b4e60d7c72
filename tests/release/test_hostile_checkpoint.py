"""Checkpoints made to fill memory or to break the import: each is refused in one line, with little memory."""

from __future__ import annotations

import random
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from samples.memory import little_memory
from samples.refusals import refused
from samples.release_weights import release_name
from stage.errors import InputError
from stage.model.config import MOST_LAYERS, StageConfig
from stage.model.stage import Stage
from stage.release.checkpoint import import_checkpoint


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Those of a small STAGE, with the release's names."""
    small = Stage(StageConfig(hidden=8, embedding=9, text_dim=10, region_dim=11))
    return {release_name(name): value for name, value in small.state_dict().items()}


def refusal(path: Path, content: Any) -> str:
    """The message with which a checkpoint is refused."""
    torch.save(content, path)
    with pytest.raises(InputError) as caught:
        import_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_a_weight_of_another_shape_is_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "best.pth"
    torch.save(weights, path)
    assert import_checkpoint(path).model.config.hidden == 8
    for name in [*sorted(weights)[::16], "bert_word_encoding_fc.2.weight"]:
        for other in (torch.zeros(3), torch.tensor(1.0), torch.zeros(0, 5)):
            if other.ndim or len(weights[name]) > 1:  # a number for a vector of one
                assert "weights" in refusal(path, {**weights, name: other})
    transposed = {**weights, "vid_fc.2.weight": weights["vid_fc.2.weight"].T.contiguous()}
    assert "is of shape (11,), but the others imply (9,)" in refusal(path, transposed)


LAYER = "input_encoder.stacked_encoderBlocks.{}.conv.0.depthwise_conv.weight"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (LAYER.format(99_999_999), torch.zeros(1), "numbered from 0 on"),
        (LAYER.format("9" * 5000), torch.zeros(1), "numbered from 0 on"),
        (LAYER.format("0").replace("conv.0", "conv.2"), torch.zeros(8, 1, 7), "missing"),
        ("cls_encoder.stacked_encoderBlocks.0.conv.0.depthwise_conv.weight", torch.zeros(8, 1, 4), "odd"),
        ("input_embedding.1.weight", torch.zeros(10**6), "imply"),
        ("other", torch.zeros(1).expand(10**6, 10**6), "expanded"),
        ("other", torch.zeros(9, device="meta"), "no plain tensor"),
        ("other", torch.zeros(9).to_sparse(), "no plain tensor"),
        ("other", torch.zeros(9, dtype=torch.complex64), "no plain tensor"),
        ("vid_fc.2.bias", torch.full((9,), torch.nan), "not finite"),
    ],
)
def test_what_would_imply_a_larger_model_is_refused(
    weights: dict[str, Tensor], tmp_path: Path, name: str, value: Tensor, reason: str
) -> None:
    assert re.search(reason, refusal(tmp_path / "best.pth", {**weights, name: value}))


def test_checkpoints_that_grow_are_refused_with_little_memory(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    expanded = torch.zeros(1).expand(10**5, 10**5)
    torch.save({**weights, "other": expanded}, tmp_path / "expanded.pth")
    shared = torch.zeros(10**6).half()
    torch.save({f"w{i}": shared for i in range(2000)}, tmp_path / "shared.pth")
    torch.save({**weights, "input_embedding.1.weight": torch.zeros(10**5)}, tmp_path / "wide.pth")
    torch.save(weights, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            more = bytes(2**25) if entry.filename.endswith("data/0") else b""
            packed.writestr(entry.filename, plain.read(entry) + more)
    for name in ("expanded", "shared", "wide", "packed"):
        with little_memory(2**29), pytest.raises(InputError, match=f"{name}.pth: "):
            import_checkpoint(tmp_path / f"{name}.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_one_damaged_byte_is_read_or_refused(
    weights: dict[str, Tensor], tmp_path: Path, zipped: bool
) -> None:
    path, rng = tmp_path / "best.pth", random.Random(3)
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        content[rng.randrange(2500)] = rng.randrange(256)
        path.write_bytes(content if rng.random() < 0.8 else content[: rng.randrange(len(content))])
        message = refused(partial(import_checkpoint, path))
        assert message is None or (message.startswith(f"{path}: ") and "\n" not in message)


@pytest.mark.parametrize("name", ["units", "blocks", "fusion_units", "fusion_blocks"])
def test_settings_can_not_ask_for_millions_of_layers(name: str) -> None:
    with pytest.raises(ValidationError, match=f"less than or equal to {MOST_LAYERS}"):
        StageConfig.model_validate({name: 10**7})
    assert getattr(StageConfig.model_validate({name: MOST_LAYERS}), name) == MOST_LAYERS
