"""Screenplays of all splits and seeds."""

from __future__ import annotations

from stage.sitcom.benchmark.splits import SPLITS
from stage.sitcom.screenplay import episode_seed, write_screenplay


def test_splits_never_share_an_episode() -> None:
    seeds = [episode_seed(split, seed, i) for split in SPLITS for seed in (0, 1) for i in range(50)]
    assert len(set(seeds)) == len(seeds)


def test_episodes_last_40_to_60_seconds() -> None:
    for seed in range(60):
        assert 40 <= write_screenplay(seed).duration <= 60
