"""Layers that never see padding."""

from __future__ import annotations

import torch

from stage.model.baselines.layers import gather_real


def test_unpadded_elements_are_moved_to_the_front_in_order() -> None:
    x = torch.arange(8.0).view(2, 4, 1)
    mask = torch.tensor([[False, True, False, True], [True, False, False, False]])
    gathered = gather_real(x, mask)
    assert gathered.values.shape == (2, 2, 1)
    assert gathered.values[gathered.mask].flatten().tolist() == [1, 3, 4]
