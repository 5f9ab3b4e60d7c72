"""Encoders and detectors are loaded by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import YolosConfig, YolosForObjectDetection

from samples.bert import write_bert
from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder

QUIETLY = """
import sys
import numpy as np
from stage.features.registry import load_detector, load_text_encoder
load_text_encoder(sys.argv[1]).encode(["mia holds a mug " * 50])
load_detector(sys.argv[2]).detect([np.zeros((90, 160, 3), np.uint8)])
"""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_loading_and_encoding_print_no_advice_of_transformers(tmp_path: Path) -> None:
    """In a process of its own, as transformers gives much of it only once."""
    bert = write_bert(tmp_path / "bert")
    config = YolosConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=[32, 48],
        patch_size=16, num_detection_tokens=5, num_labels=3,
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(tmp_path / "yolos")
    settings = {"size": {"height": 32, "width": 48}, "image_processor_type": "YolosImageProcessor"}
    (tmp_path / "yolos" / "preprocessor_config.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-c", QUIETLY, bert, tmp_path / "yolos"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("spec", ["/nowhere/detr", "./nowhere", "no-such-name"])
def test_a_missing_detector_is_named_without_network_access(spec: str) -> None:
    with pytest.raises(InputError, match=spec):
        load_detector(spec)


@pytest.mark.parametrize("spec", ["/nowhere/bert", "./nowhere", "a/b/c"])
def test_a_missing_encoder_is_named_without_network_access(spec: str) -> None:
    with pytest.raises(InputError, match=spec):
        load_text_encoder(spec)
