"""Encoders and detectors are loaded by name."""

from __future__ import annotations

import pytest

from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder


@pytest.mark.parametrize("spec", ["/nowhere/detr", "./nowhere", "no-such-name"])
def test_a_missing_detector_is_named_without_network_access(spec: str) -> None:
    with pytest.raises(InputError, match=spec):
        load_detector(spec)


@pytest.mark.parametrize("spec", ["/nowhere/bert", "./nowhere", "a/b/c"])
def test_a_missing_encoder_is_named_without_network_access(spec: str) -> None:
    with pytest.raises(InputError, match=spec):
        load_text_encoder(spec)
