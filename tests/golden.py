"""Reads tensors that the authors' release computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stage.data.batch import Batch, Context, Targets
from stage.model.losses import RegionPairs

COMPACT = Path(__file__).parent / "golden_compact.npz"


@dataclass(frozen=True)
class Golden:
    """One golden file: the inputs as a batch, and what the release computed from them."""

    arrays: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: Path) -> Golden:
        with np.load(path) as stored:
            return cls(dict(stored))

    def tensor(self, name: str) -> Tensor:
        array = self.arrays[name]
        return torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)

    @property
    def weights(self) -> dict[str, Tensor]:
        return {n.removeprefix("param/"): self.tensor(n) for n in self.arrays if n.startswith("param/")}

    @property
    def grad_norms(self) -> dict[str, float]:
        start = "grad_norm/"
        return {n.removeprefix(start): float(v) for n, v in self.arrays.items() if n.startswith(start)}

    @property
    def batch(self) -> Batch:
        frame_mask = self.tensor("input/ts_mask").bool()
        regions, region_mask = self.tensor("input/vid"), self.tensor("input/vid_mask").bool()
        if regions.shape[1] != frame_mask.shape[1]:  # a placeholder for models without the stream
            regions = regions.new_zeros(*frame_mask.shape, 0, regions.shape[-1])
            region_mask = region_mask.new_zeros(*frame_mask.shape, 0)
        return Batch(
            words=self.tensor("input/qas_bert"),
            word_mask=self.tensor("input/qas_mask").bool(),
            subtitles=Context.per_frame(self.tensor("input/sub_bert"), self.tensor("input/sub_mask").bool()),
            regions=Context.per_frame(regions, region_mask),
            frame_mask=frame_mask,
            targets=Targets(
                answer=self.tensor("input/target"),
                start=self.tensor("input/ts_st"),
                end=self.tensor("input/ts_ed"),
                grounding=None,
            ),
        )

    def drawn_pairs(self, shape: torch.Size) -> RegionPairs | None:
        """The positive and negative regions that the release drew, as positions in scores (N, T, K, L_h, N_o)."""
        if "train/att_pos" not in self.arrays:
            return None

        def flat(rows: np.ndarray) -> Tensor:
            question, hypothesis, frame, word, region = rows.T
            return torch.from_numpy(np.ravel_multi_index((question, frame, hypothesis, word, region), shape))

        return RegionPairs(flat(self.arrays["train/att_pos"]), flat(self.arrays["train/att_neg"]))
