"""Tiny ONNX detectors whose output is known: constants, or constants times what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT, UINT8, INT64 = 1, 2, 7
"""Types of inputs, as ONNX numbers them."""
PICTURE = (FLOAT, (1, 3, 64, 96))
SIZES = "orig_target_sizes"


def write_onnx(
    path: Path,
    outputs: Mapping[str, Any],
    picture: tuple[int, tuple[Any, ...]] = PICTURE,
    metadata: Mapping[str, str] = {},
    others: Mapping[str, tuple[int, tuple[Any, ...]]] = {},
    name: str = "images",
) -> Path:
    """A graph that gives the same arrays for every picture. others: name -> type and shape of further inputs.

    Where `orig_target_sizes` is among them, the boxes are fractions, and multiplied with width and height.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    assert (FLOAT, UINT8, INT64) == (TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64)
    arrays: dict[str, npt.NDArray[Any]] = {key: np.asarray(value) for key, value in outputs.items()}
    nodes, constants = [], []
    for key, array in arrays.items():
        constants.append(numpy_helper.from_array(array, f"{key}_constant"))
        if key == "boxes" and SIZES in others:
            constants.append(numpy_helper.from_array(np.array([1]), "axis"))
            nodes += [
                helper.make_node("Cast", [SIZES], ["sizes"], to=FLOAT),
                helper.make_node("Concat", ["sizes", "sizes"], ["sides"], axis=1),
                helper.make_node("Unsqueeze", ["sides", "axis"], ["scale"]),
                helper.make_node("Mul", [f"{key}_constant", "scale"], [key]),
            ]
        else:
            nodes.append(helper.make_node("Identity", [f"{key}_constant"], [key]))
    inputs = [helper.make_tensor_value_info(key, *value) for key, value in {name: picture, **others}.items()]
    results = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for key, array in arrays.items()
    ]
    graph = helper.make_graph(nodes, "detector", inputs, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, dict(metadata))
    save(model, str(path))
    return path


def listed(*found: tuple[list[float], float, int]) -> dict[str, npt.NDArray[Any]]:
    """Outputs boxes, scores and labels of one picture. found: box, score, class."""
    boxes, scores, classes = zip(*found, strict=True)
    return {
        "boxes": np.array([boxes], np.float32),
        "scores": np.array([scores], np.float32),
        "labels": np.array([classes], np.int64),
    }
