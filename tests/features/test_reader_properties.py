"""Whatever a detector's or encoder's folder contains, it loads or is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import YolosConfig, YolosForObjectDetection

from samples.bert import write_bert
from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder

pytestmark = pytest.mark.slow
IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
few = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
numbers = st.integers(-3, 40) | st.floats(-2, 2) | st.sampled_from([float("nan"), float("inf"), 10**30])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["height", "width", "a"]), inner)
    ),
    max_leaves=4,
)
SIZES = (
    st.fixed_dictionaries({"height": numbers, "width": numbers})
    | st.fixed_dictionaries({"shortest_edge": numbers, "longest_edge": numbers})
    | values
)
SETTINGS = {
    "do_resize": values,
    "do_rescale": values,
    "rescale_factor": values,
    "do_normalize": values,
    "image_mean": values,
    "image_std": values,
    "do_pad": values,
    "resample": values,
    "image_processor_type": st.sampled_from(["YolosImageProcessor", "DetrImageProcessor", "None"]) | values,
}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = YolosConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=[32, 48],
        patch_size=16, num_detection_tokens=5, num_labels=3,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("detector")
    YolosForObjectDetection(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


def refused(load: Callable[[], object]) -> bool:
    """Whether loading ends as bad input must; anything else than that or a result is raised."""
    try:
        load()
    except InputError:
        return True
    return False


@few
@given(st.fixed_dictionaries({"size": SIZES}, optional=SETTINGS))
@example({"size": {"height": 10**9, "width": 10**9}})
def test_any_preparation_of_images_gives_finite_regions_or_is_refused(
    detector: Path, prepared: dict[str, Any]
) -> None:
    (detector / "preprocessor_config.json").write_text(json.dumps(prepared))

    def detect() -> None:
        regions = load_detector(str(detector)).detect([IMAGE])[0]
        assert len(regions)
        assert np.isfinite(regions.features).all()
        assert np.isfinite(regions.boxes).all()

    refused(detect)


@few
@given(st.binary(max_size=30) | values.map(lambda value: json.dumps(value).encode()))
def test_any_file_of_settings_loads_or_is_refused(detector: Path, content: bytes) -> None:
    (detector / "preprocessor_config.json").write_bytes(content)
    refused(lambda: load_detector(str(detector)))


@few
@given(
    st.sampled_from(["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]),
    st.none() | st.binary(max_size=30) | values.map(lambda value: json.dumps(value).encode()),
)
@example("tokenizer.json", b"")
@example("tokenizer.json", b"{}")
@example("tokenizer_config.json", b"[]")
@example("config.json", None)
def test_any_file_of_an_encoder_loads_or_is_refused(
    bert: Path, tmp_path_factory: pytest.TempPathFactory, file: str, content: bytes | None
) -> None:
    """None: the file is missing."""
    folder = Path(shutil.copytree(bert, tmp_path_factory.mktemp("copy") / "bert"))
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)

    def encode() -> None:
        (vectors,) = load_text_encoder(str(folder)).encode(["mia says hello ."])
        assert vectors.shape == (4, 32)
        assert np.isfinite(vectors).all()

    was_refused = refused(encode)
    if file in ("config.json", "model.safetensors"):
        assert was_refused
