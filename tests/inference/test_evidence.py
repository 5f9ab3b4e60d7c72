"""Evidence stays within the film."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stage.inference.evidence import clamp_spans
from stage.types import Clip, Prediction


def test_a_span_ends_with_the_film() -> None:
    clip = Clip("short", frame_count=7)
    said = Prediction(0, "short", 0, (0.6, 0.4), ((0.3, 4.3), (0.3, 2.3)))
    assert clamp_spans(said, clip).spans == ((0.3, pytest.approx(7 / 3)), (0.3, 2.3))
    last_frame = replace(said, spans=((7 / 3, 13 / 3),) * 2)
    assert clamp_spans(last_frame, clip).spans[0] == (pytest.approx(2), pytest.approx(7 / 3))
