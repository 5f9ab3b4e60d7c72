"""How long a training step takes, against the machine's own matrix products in the same run.

    python benchmarks/training_step.py [--steps 5] [--threads 2]

A batch of 16 questions of TVQA+'s usual sizes with random values, both streams, local features, supervised in time
and space. Prints ratios: the machines this is run on are noisy, and seconds mean little elsewhere.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch

from stage.batch import Batch, Context, GroundingTargets, Targets
from stage.memory import keep_memory
from stage.model.config import StageConfig
from stage.model.losses import LossWeights, stage_losses
from stage.model.stage import Stage
from stage.precision import bfloat16_pays

QUESTIONS, HYPOTHESES, FRAMES, WORDS, SUBTITLE_WORDS, REGIONS = 16, 5, 33, 24, 28, 20
TEXT_DIM, REGION_DIM = 768, 300
MATRIX = 2048


def make_batch() -> Batch:
    """Random values; lengths as ragged as real ones."""
    torch.manual_seed(0)

    def mask(longest: int, *shape: int) -> torch.Tensor:
        lengths = torch.randint(longest // 2, longest + 1, shape)
        return torch.arange(longest) < lengths[..., None]

    n, t = QUESTIONS, FRAMES
    grounding = GroundingTargets(
        question=torch.arange(n).repeat_interleave(8),
        frame=torch.randint(0, t // 2, (8 * n,)),
        word=torch.randint(0, WORDS // 2, (8 * n,)),
        positive=torch.rand(8 * n, REGIONS) < 0.15,
    )
    start = torch.randint(0, t // 2, (n,))
    return Batch(
        words=torch.randn(n, HYPOTHESES, WORDS, TEXT_DIM),
        word_mask=mask(WORDS, n, HYPOTHESES),
        dialogue=Context.of_all(torch.randn(n, t, SUBTITLE_WORDS, TEXT_DIM), mask(SUBTITLE_WORDS, n, t)),
        pictures=Context.of_all(torch.randn(n, t, REGIONS, REGION_DIM), mask(REGIONS, n, t)),
        frame_mask=mask(t, n),
        targets=Targets(torch.randint(0, HYPOTHESES, (n,)), start, start + 3, grounding),
    )


def seconds(run: Callable[[], object], times: int) -> float:
    """Median of several runs after one that does not count."""
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return median(taken)


def step_of(batch: Batch, *, bfloat16: bool) -> Callable[[], object]:
    torch.manual_seed(1)
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM)).train()
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            losses, _ = stage_losses(model, batch, LossWeights())
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    batch = make_batch()
    a, b = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    kinds = {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if bfloat16_pays() else {})
    products = {name: seconds(partial(torch.mm, a.to(kind), b.to(kind)), 9) for name, kind in kinds.items()}
    plain = seconds(step_of(batch, bfloat16=False), options.steps)
    keep_memory()
    steps = {
        f"{name}, memory kept": seconds(step_of(batch, bfloat16=name == "bfloat16"), options.steps)
        for name in kinds
    }
    for name, taken in products.items():
        print(f"{name} matrix product: {2 * MATRIX**3 / taken / 1e9:.0f} GFLOP/s")
    if not bfloat16_pays():
        print("bfloat16: not measured, since this processor has to emulate it")
    print(f"float32, memory given back: 1.00 ({plain:.2f} s a step)")
    for name, taken in steps.items():
        print(f"{name}: {taken / plain:.2f}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
