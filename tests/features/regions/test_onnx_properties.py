"""Whatever an ONNX detector puts out, it gives regions that can be stored, or one line that says why not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stage.errors import InputError
from stage.features.checks import check_detected
from stage.features.protocols import REGIONS_PER_FRAME
from stage.features.regions.onnx_detector import OnnxDetector, Spec
from stage.types import Regions

IMAGE = np.zeros((30, 50, 3), np.uint8)
CELLS = 21
"""Of YOLOX at 32 x 32 pixels."""
FAMILIES: dict[str, tuple[tuple[int, ...], ...]] = {
    "boxes scores labels": ((1, 9, 4), (1, 9), (1, 9)),
    "logits pred_boxes": ((1, 9, 3), (1, 9, 4)),
    "dets labels": ((1, 9, 4), (1, 9, 3)),
    "output": ((1, CELLS, 8),),
    "output0": ((1, 7, 9),),
}


class Putting:
    """In place of onnxruntime's session: puts out what it was made with."""

    def __init__(self, outputs: dict[str, Any], ranks: dict[str, int]) -> None:
        self.outputs, self.ranks = outputs, ranks

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="images", type="tensor(float)", shape=[1, 3, 32, 32])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name, shape=["?"] * rank) for name, rank in self.ranks.items()]

    def get_modelmeta(self) -> Any:
        return SimpleNamespace(custom_metadata_map={"names": '["cat", "dog", "cup"]'})

    def run(self, names: None, given: dict[str, Any]) -> list[Any]:
        assert given["images"].shape == (1, 3, 32, 32)
        return list(self.outputs.values())


def values() -> Any:
    return st.one_of(
        st.floats(width=32, allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, 0.5, 1.0, 3.0, 32.0, -1.0, 2.0]),
    )


@st.composite
def any_outputs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int]]:
    """Outputs of a family with the shapes that it has, or now and then with others."""
    family = draw(st.sampled_from(sorted(FAMILIES)))
    outputs = {}
    for name, shape in zip(family.split(), FAMILIES[family], strict=True):
        other = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9)
        chosen = draw(st.one_of(st.just(shape), st.just(shape), st.just(shape), other))
        outputs[name] = draw(arrays.arrays(np.float32, chosen, elements=values()))
    ranks = {name: len(shape) for name, shape in zip(family.split(), FAMILIES[family], strict=True)}
    return outputs, ranks


@pytest.mark.slow
@given(put=any_outputs())
def test_regions_can_be_stored_or_the_reason_is_said(put: tuple[dict[str, Any], dict[str, int]]) -> None:
    detector = OnnxDetector(Spec(Path("/nowhere/d.onnx"), None), Putting(*put))
    regions, reason = Regions.empty(0), ""
    try:
        [regions] = detector.detect([IMAGE])
    except InputError as error:
        reason = str(error)
    assert "\n" not in reason
    check_detected(regions, "here", "d")
    assert len(regions) == len(regions.labels) <= REGIONS_PER_FRAME
    assert set(regions.labels) <= {"cat", "dog", "cup"}
    assert ((regions.boxes >= 0) & (regions.boxes <= [50, 30, 50, 30])).all()
    assert (regions.boxes[:, 2:] > regions.boxes[:, :2]).all()
    assert ((regions.scores >= 0.2) & (regions.scores <= 1)).all()
    assert (np.diff(regions.scores) <= 0).all()
