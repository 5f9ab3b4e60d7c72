"""How the time of STAGE grows with the length of a clip and of what is said in it.

    python benchmarks/growth.py [--plot growth.png] [--threads 1]

One question with five hypotheses of 20 words, 20 regions a frame, random values of TVQA+'s sizes. Frames T from 15 to
300 at 24 subtitle words a frame; subtitle words L_s from 6 to 48 at 60 frames, no frame saying what another says.
Printed is the time of each against the shortest, beside the ratio of the lengths: linear growth is no more than that.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import matplotlib
import torch

from stage.data.batch import Batch, Context, GroundingTargets, Targets
from stage.model.config import StageConfig
from stage.model.losses import LossWeights, stage_losses
from stage.model.stage import Stage
from stage.runtime.allocator import keep_freed_memory

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FRAMES, SUBTITLE_WORDS = (15, 30, 60, 120, 180, 240, 300), (6, 12, 24, 36, 48)
USUAL_FRAMES, USUAL_WORDS = 60, 24
HYPOTHESES, WORDS, REGIONS, TEXT_DIM, REGION_DIM = 5, 20, 20, 768, 300
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM))
    curves = {
        ("frames of the clip", kind): {t: seconds(model, kind, make_batch(t, USUAL_WORDS)) for t in FRAMES}
        for kind in ("training", "answering")
    } | {
        ("subtitle words of a frame", kind): {
            words: seconds(model, kind, make_batch(USUAL_FRAMES, words)) for words in SUBTITLE_WORDS
        }
        for kind in ("training", "answering")
    }
    for (axis, kind), curve in curves.items():
        shortest = min(curve)
        grown = ", ".join(f"{n / shortest:.0f}: {s / curve[shortest]:.1f}" for n, s in curve.items())
        print(f"{kind}, times as many {axis}: times as long\n  {grown}")
    if given.plot:
        draw(curves, given.plot)


def make_batch(frames: int, subtitle_words: int) -> Batch:
    torch.manual_seed(0)
    real = torch.ones(1, frames, dtype=torch.bool)
    shown = torch.zeros(8, REGIONS, dtype=torch.bool)
    shown[:, 0] = True
    where = torch.arange(8)
    return Batch(
        torch.randn(1, HYPOTHESES, WORDS, TEXT_DIM),
        torch.ones(1, HYPOTHESES, WORDS, dtype=torch.bool),
        Context.of_all(
            torch.randn(1, frames, subtitle_words, TEXT_DIM), real[..., None].expand(-1, -1, subtitle_words)
        ),
        Context.of_all(torch.randn(1, frames, REGIONS, REGION_DIM), real[..., None].expand(-1, -1, REGIONS)),
        real,
        Targets(
            torch.zeros(1, dtype=torch.long),
            torch.tensor([2]),
            torch.tensor([8]),
            GroundingTargets(torch.zeros(8, dtype=torch.long), where, where, shown),
        ),
    )


def seconds(model: Stage, kind: str, batch: Batch) -> float:
    taken = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        if kind == "training":
            losses, _ = stage_losses(model.train(), batch, LossWeights())
            losses.total.backward()
            model.zero_grad()
        else:
            with torch.inference_mode():
                model.eval().answer(batch)
        taken.append(time.perf_counter() - began)
    return median(taken[1:])


def draw(curves: Mapping[tuple[str, str], Mapping[int, float]], path: Path) -> None:
    axes_names = list(dict.fromkeys(axis for axis, _ in curves))
    figure, axes = plt.subplots(1, len(axes_names), figsize=(9, 3.2), layout="constrained")
    for (axis, kind), curve in curves.items():
        plot = axes[axes_names.index(axis)]
        plot.plot(list(curve), [1000 * s for s in curve.values()], "o-", label=kind)
        plot.set(xlabel=axis, ylabel="milliseconds a question", xlim=(0, None), ylim=(0, None))
    axes[0].legend(frameon=False)
    for plot in axes:
        plot.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
