"""The upper limit that proposals set to grounding."""

from __future__ import annotations

import numpy as np
import pytest

from samples.predictions import MIA, question, shift
from stage.metrics import proposal_recall
from stage.types import Regions


def test_proposal_recall_is_the_share_of_true_boxes_that_a_region_covers() -> None:
    known = question(1, boxes={7: (MIA, shift(MIA, 300)), 13: (MIA,), 600: (MIA,)})
    good = np.array([[0, 0, 99, 99]], np.float32)
    bad = np.array([[200, 200, 210, 210]] * 20 + [[0, 0, 99, 99]], np.float32)

    def regions(of: np.ndarray) -> Regions:
        return Regions(of, np.ones(len(of), np.float32), np.zeros((len(of), 1), np.float32))

    seen = {"clip1": {7: regions(good), 13: regions(bad)}}
    assert proposal_recall([known], lambda clip: seen[clip]) == pytest.approx(1 / 3)
    assert proposal_recall([known], lambda clip: seen[clip], count=21) == pytest.approx(2 / 3)
    assert np.isnan(proposal_recall([question(1, boxes={})], lambda clip: seen[clip]))
