"""IoU of boxes and spans: the plain one, the release's and VOC's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stage.geometry import (
    Numbers,
    Singles,
    box_iou,
    release_label_iou,
    span_iou,
    span_overlap,
    tensor_box_iou,
    voc_iou,
)
from stage.types import Clip

BOX = np.array([[0.0, 0.0, 10.0, 10.0]])
BESIDE = np.array([[5.0, 0.0, 15.0, 10.0]])


def test_iou_of_boxes_is_intersection_over_union() -> None:
    others = np.concatenate([BOX, BESIDE, BOX + 20])
    assert box_iou(BOX, others).tolist() == [[1.0, 50 / 150, 0.0]]
    assert box_iou(others, BOX).shape == (3, 1)
    assert box_iou(others, np.zeros((0, 4))).shape == (3, 0)


def test_boxes_without_area_have_no_iou() -> None:
    point = np.array([[5.0, 5.0, 5.0, 5.0]])
    assert box_iou(point, point).tolist() == [[0.0]]
    assert box_iou(point, BOX).tolist() == [[0.0]]


PIXELS = st.floats(-50, 2000, width=32)


@st.composite
def boxes(draw: st.DrawFn, count: int) -> Singles:
    """(count, 4) with sides of at least a pixel, partly past the picture."""
    lines = [
        (left, top, left + width, top + height)
        for left, top, width, height in draw(
            st.lists(
                st.tuples(PIXELS, PIXELS, *[st.floats(1, 2000, width=32)] * 2), min_size=count, max_size=count
            )
        )
    ]
    return np.array(lines, np.float32)


@given(boxes(4), boxes(4))
def test_iou_is_a_share_the_same_both_ways_and_one_of_a_box_with_itself(a: Singles, b: Singles) -> None:
    def rows(first: Singles, second: Singles) -> list[Numbers]:
        return [voc_iou(first, second), np.diag(box_iou(first, second))]

    for there, back in zip(rows(a, b), rows(b, a), strict=True):
        assert there == pytest.approx(back, abs=1e-6)
        assert ((there >= 0) & (there <= 1 + 1e-6)).all()
    for same in rows(a, a):
        assert same == pytest.approx(np.ones(4), abs=1e-6)
    apart = b + (a[:, 2:].max(0) - b[:, :2].min(0) + 10).repeat(2)[[0, 2, 0, 2]]
    for nothing in rows(a, apart):
        assert nothing.max() == 0


SPANS = st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)).map(lambda span: (min(span), max(span)))


@given(SPANS, SPANS)
def test_overlap_of_spans_is_a_share_the_same_both_ways(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    found, shared = span_overlap(a, b), min(a[1], b[1]) - max(a[0], b[0])
    assert 0 <= found <= 1
    assert found == span_overlap(b, a)
    assert found * (max(a[1], b[1]) - min(a[0], b[0])) == pytest.approx(max(0.0, shared), abs=1e-6)
    assert span_overlap(a, a) == (a[0] < a[1])


@given(st.integers(1, 1000), st.tuples(st.floats(-100, 500), st.floats(-100, 500)))
def test_a_clamped_span_is_within_the_clip_and_one_within_stays(
    count: int, span: tuple[float, float]
) -> None:
    clip = Clip("clip", count)
    start, end = clip.clamp(span)
    assert 0 <= start <= end <= clip.duration
    if 0 <= span[0] <= span[1] <= clip.duration - 1 / 3:
        assert (start, end) == span


def test_tensors_have_the_iou_of_arrays_in_their_own_dtype() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 100, (2, 20, 2, 2)), axis=2).reshape(2, 20, 4).astype(np.float32)
    found = tensor_box_iou(*torch.from_numpy(corners))
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), box_iou(*corners), atol=1e-6)


@pytest.mark.slow
def test_geometry_is_imported_without_torch() -> None:
    script = "import sys, stage.geometry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_releases_labels_add_a_pixel_to_the_intersection_alone() -> None:
    assert release_label_iou(BOX, BOX).tolist() == [[round(121 / 79, 4)]]
    assert release_label_iou(BOX, BOX + 20).tolist() == [[0.0]]


def test_voc_iou_counts_pixels_twice_over() -> None:
    a = np.array([[0, 0, 9, 9]], np.float32)
    b = np.array([[0, 5, 9, 14]], np.float32)
    # 11 pixels a side instead of 10; rows 5 to 10 are shared: 6 of 11.
    assert voc_iou(a, b).tolist() == pytest.approx([66 / (121 + 121 - 66)])
    assert voc_iou(a, a).tolist() == [1.0]
    assert voc_iou(a, a + 50).tolist() == [0.0]


def test_a_box_turned_inside_out_overlaps_nothing() -> None:
    inside_out = np.array([[10, 10, 8, 8], [10, 10, 3, 30], [50, 50, 10, 10]], np.float32)
    true = np.array([[10, 10, 8, 8], [0, 0, 40, 40], [5, 5, 60, 60]], np.float32)
    assert voc_iou(inside_out, true).tolist() == [0.0, 0.0, 0.0]


def test_the_iou_of_spans_takes_the_whole_time_from_first_start_to_last_end() -> None:
    predicted = np.array([[0.0, 10], [0, 10], [0, 10], [5, 5], [2, 4]])
    true = np.array([[5.0, 15], [20, 30], [0, 10], [5, 5], [0, 8]])
    assert span_iou(predicted, true).tolist() == pytest.approx([5 / 15, 0, 1, 0, 2 / 8])


def test_overlap_of_a_pair_of_spans_is_intersection_over_union() -> None:
    assert span_overlap((0, 4), (2, 6)) == pytest.approx(1 / 3)
    assert span_overlap((0, 1), (2, 3)) == 0
    assert span_overlap((1, 1), (1, 1)) == 0
