"""Time of STAGE by the length of a clip and of its subtitles: is it linear?

    python benchmarks/growth.py [--plot growth.png] [--threads 1]

One question with five hypotheses of 20 words and 20 regions per frame, random features of TVQA+'s sizes. Frames T
from 15 to 300 with 24 subtitle words each; subtitle words L_s from 6 to 48 per frame in 60 frames, no frame
sharing another's subtitles. Prints the ratio of each length to the shortest, and the ratio of the times: growth is
linear if the latter is no larger.
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
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM))
    curves = {
        ("frames per clip", mode): {t: seconds(model, mode, make_batch(t, USUAL_WORDS)) for t in FRAMES}
        for mode in ("training", "inference")
    } | {
        ("subtitle words per frame", mode): {
            words: seconds(model, mode, make_batch(USUAL_FRAMES, words)) for words in SUBTITLE_WORDS
        }
        for mode in ("training", "inference")
    }
    for (axis, mode), curve in curves.items():
        shortest = min(curve)
        ratios = ", ".join(f"{n / shortest:.0f}: {s / curve[shortest]:.1f}" for n, s in curve.items())
        print(f"{mode}, ratio of {axis}: ratio of times\n  {ratios}")
    if arguments.plot:
        draw(curves, arguments.plot)


def make_batch(frames: int, subtitle_words: int) -> Batch:
    torch.manual_seed(0)
    frame_mask = torch.ones(1, frames, dtype=torch.bool)
    positives = torch.zeros(8, REGIONS, dtype=torch.bool)
    positives[:, 0] = True
    positions = torch.arange(8)
    return Batch(
        torch.randn(1, HYPOTHESES, WORDS, TEXT_DIM),
        torch.ones(1, HYPOTHESES, WORDS, dtype=torch.bool),
        Context.per_frame(
            torch.randn(1, frames, subtitle_words, TEXT_DIM),
            frame_mask[..., None].expand(-1, -1, subtitle_words),
        ),
        Context.per_frame(
            torch.randn(1, frames, REGIONS, REGION_DIM), frame_mask[..., None].expand(-1, -1, REGIONS)
        ),
        frame_mask,
        Targets(
            torch.zeros(1, dtype=torch.long),
            torch.tensor([2]),
            torch.tensor([8]),
            GroundingTargets(torch.zeros(8, dtype=torch.long), positions, positions, positives),
        ),
    )


def seconds(model: Stage, mode: str, batch: Batch) -> float:
    """The median time of a training step without the optimizer, or of inference; the first run is a warm-up."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        if mode == "training":
            losses, _ = stage_losses(model.train(), batch, LossWeights())
            losses.total.backward()
            model.zero_grad()
        else:
            with torch.inference_mode():
                model.eval().answer(batch)
        times.append(time.perf_counter() - start)
    return median(times[1:])


def draw(curves: Mapping[tuple[str, str], Mapping[int, float]], path: Path) -> None:
    axes_names = list(dict.fromkeys(axis for axis, _ in curves))
    figure, axes = plt.subplots(1, len(axes_names), figsize=(9, 3.2), layout="constrained")
    for (axis, mode), curve in curves.items():
        plot = axes[axes_names.index(axis)]
        plot.plot(list(curve), [1000 * s for s in curve.values()], "o-", label=mode)
        plot.set(xlabel=axis, ylabel="milliseconds per question", xlim=(0, None), ylim=(0, None))
    axes[0].legend(frameon=False)
    for plot in axes:
        plot.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
