"""Spans: the best one, the one of the largest expected overlap, and their IoU."""

from __future__ import annotations

import pytest
import torch

import oracle
from stage.model.span import best_spans, overlapping_spans, span_iou


def test_ties_between_spans_go_to_the_first() -> None:
    start = torch.tensor([[0.5, 0.1, 0.5, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
    end = torch.tensor([[0.1, 0.4, 0.1, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    spans = best_spans(start, end)
    assert spans.start.tolist() == [0, 1, 0]
    assert spans.end.tolist() == [1, 1, 0]
    for i in range(3):
        assert oracle.scan(start[i], end[i]) == (spans.start[i], spans.end[i])


def test_the_best_span_agrees_with_a_scan_on_any_probabilities() -> None:
    coarse = torch.randint(1, 4, (200, 2, 9), generator=torch.Generator().manual_seed(3)) / 4
    spans = best_spans(coarse[:, 0], coarse[:, 1])
    scanned = [oracle.scan(row[0], row[1]) for row in coarse]
    assert list(zip(spans.start.tolist(), spans.end.tolist(), strict=True)) == scanned


def test_the_span_of_the_largest_expected_overlap_is_that_of_an_exhaustive_search() -> None:
    g = torch.Generator().manual_seed(5)
    start, end = torch.rand(20, 7, generator=g).softmax(-1), torch.rand(20, 7, generator=g).softmax(-1)
    found = overlapping_spans(start, end)
    pairs = [(i, j) for i in range(7) for j in range(i, 7)]
    for n in range(20):
        expected = {
            (i, j): sum(
                float(start[n, k] * end[n, m] * span_iou(*map(torch.tensor, (i, j, k, m)))) for k, m in pairs
            )
            for i, j in pairs
        }
        chosen = int(found.start[n]), int(found.end[n])
        assert expected[chosen] == pytest.approx(max(expected.values()), rel=1e-5)
        assert float(found.score[n]) == pytest.approx(expected[chosen], rel=1e-5)


def test_in_a_long_film_the_overlap_is_searched_around_the_likeliest_span() -> None:
    start, end = torch.zeros(500), torch.zeros(500)
    start[480], end[490] = 1.0, 1.0
    found = overlapping_spans(start, end)
    assert (int(found.start), int(found.end)) == (480, 490)


def test_span_overlap_counts_both_end_frames() -> None:
    one, four = torch.tensor(1), torch.tensor(4)
    assert float(span_iou(one, four, one, four)) == 1.0
    assert float(span_iou(torch.tensor(4), torch.tensor(5), one, four)) == pytest.approx(1 / 5)
    assert float(span_iou(torch.tensor(5), torch.tensor(6), one, four)) == 0.0
