"""How fast STAGE is trained and asked on released features, against a plain implementation in the same run.

    python benchmarks/model.py FOLDER [--split train] [--steps 10] [--threads 2] [--at-once 16] [--compile never]
                               [--device cuda]

FOLDER holds released features, or what was packed of them. A step is 16 questions, both streams, local features,
supervised in time and space, as `stage train` takes it; answers are found as by `stage predict`. The plain
implementation is the tests' oracle: a loop over hypotheses and frames, one sequence at a time, gradients by autograd.
Memory is kept between steps for all. On a GPU, batches are copied to it within the step; the plain implementation
stays on the CPU. Ratios compare machines; seconds are of this one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from stage.data.batch import Batch
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.data.loading import LengthBucketSampler, answering_order
from stage.data.question_set import QuestionSet
from stage.model.config import StageConfig
from stage.model.losses import LossWeights, stage_losses
from stage.model.ops.compiled import compile_ops
from stage.model.stage import Stage
from stage.runtime.allocator import keep_freed_memory, peak_memory
from stage.runtime.hardware import bfloat16_is_fast
from stage.training.config import TrainingConfig

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import oracle

STEP = TrainingConfig()
MATRIX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--at-once", type=int, default=STEP.at_once)
    parser.add_argument("--compile", choices=("auto", "never"), default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-plain", action="store_true", help="without the plain implementation")
    given = parser.parse_args()
    device = given.device
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    questions = open_questions(given.folder / given.split, Limits())
    sizes = {"text_dim": questions.text_dim, "region_dim": questions.region_dim}
    torch.manual_seed(STEP.seed)
    model = Stage(StageConfig(**sizes)).to(device)
    steps = batches_of(questions, given.at_once, given.steps)
    order = answering_order(questions)
    chosen = order[:: max(1, len(order) // given.steps)]
    asked = [[collate([questions.example(i) for i in batch])] for batch in chosen]

    kinds = [torch.float32, torch.bfloat16] if bfloat16_is_fast(device) else [torch.float32]
    if not bfloat16_is_fast(device):
        print("bfloat16: not measured, since this processor has to emulate it")
    for kind in kinds:
        a = torch.randn(MATRIX, MATRIX).to(device, kind)
        peak = 2 * MATRIX**3 / seconds([lambda a=a: a @ a] * 9) / 1e9
        print(f"{given.threads} threads; {kind} matrix product: {peak:.0f} GFLOP/s")
    flops = count(model, steps)
    found = {f"{kind}": speed(kind, model, steps, asked) for kind in kinds}
    if given.compile == "auto" and device == "cpu":
        if reason := compile_ops():
            print(f"not compiled: {reason}")
        else:
            found |= {f"{kind}, compiled": speed(kind, model, steps, asked) for kind in kinds}
    if device == "cuda":
        print(f"peak memory of the GPU: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")
    print(f"peak memory of all of it, with {len(steps)} steps read: {peak_memory() / 1e9:.2f} GB")
    for kind, (taken, answering) in found.items():
        print(
            f"{kind}: {taken:.3f} s a step of {STEP.batch_size} ({flops / taken / 1e9:.0f} GFLOP/s), "
            f"{1 / answering:.0f} answers/s"
        )
    if given.no_plain:
        return
    plain, plain_answer = plain_speed(model.cpu(), steps[0][0])
    print(f"plain implementation: {plain * STEP.batch_size:.0f} s a step, {1 / plain_answer:.2f} answers/s")
    for kind, (taken, answering) in found.items():
        print(
            f"{kind}: a step takes 1/{plain * STEP.batch_size / taken:.0f} of the plain one's, "
            f"{plain_answer / answering:.0f} times as many answers"
        )


def count(model: Stage, steps: Sequence[Sequence[Batch]]) -> float:
    """Matrix operations of a step. Before anything is compiled, since they can't be counted within that."""
    optimizer = torch.optim.Adam(model.parameters())
    with FlopCounterMode(display=False) as counter:
        for parts in steps:
            step(model, optimizer, parts)
    return counter.get_total_flops() / len(steps)


def speed(
    kind: torch.dtype, model: Stage, steps: Sequence[Sequence[Batch]], asked: Sequence[Sequence[Batch]]
) -> tuple[float, float]:
    """Seconds of a training step and of an answer."""
    with torch.autocast(_device_of(model), kind, enabled=kind != torch.float32):
        optimizer = torch.optim.Adam(model.parameters())
        taken = seconds([partial(step, model, optimizer, batch) for batch in steps])
        answering = seconds([partial(answer, model, batch) for batch in asked])
    return taken, answering * len(asked) / sum(len(batch) for [batch] in asked)


def batches_of(questions: QuestionSet, at_once: int, steps: int) -> list[list[Batch]]:
    """Steps of 16 questions as they come in training, each in parts."""
    parts = list(LengthBucketSampler(questions.sizes(), STEP.batch_size, at_once, STEP.seed))
    n = math.ceil(STEP.batch_size / at_once)
    return [
        [collate([questions.example(i) for i in part]) for part in parts[first : first + n]]
        for first in range(0, min(n * steps, len(parts) - n), n)
    ]


def seconds(runs: Sequence[Callable[[], object]]) -> float:
    """The median of several runs, after all were run once: the first of a size makes kernels for it."""
    for run in runs:
        run()
    taken = []
    for run in runs:
        _finish()
        began = time.perf_counter()
        run()
        _finish()
        taken.append(time.perf_counter() - began)
    return median(taken)


def step(model: Stage, optimizer: torch.optim.Optimizer, parts: Sequence[Batch]) -> None:
    model.train()
    for part in parts:
        losses, _ = stage_losses(model, part.to(_device_of(model)), LossWeights())
        losses.total.backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.inference_mode()
def answer(model: Stage, parts: Sequence[Batch]) -> None:
    model.eval()
    for part in parts:
        model.answer(part.to(_device_of(model)))


def _finish() -> None:
    """Wait for what the GPU still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _device_of(model: Stage) -> str:
    return next(model.parameters()).device.type


def plain_speed(model: Stage, batch: Batch) -> tuple[float, float]:
    """Seconds of the plain implementation for the first question of a batch: trained on, and answered.

    Trained on answer and span without dropout; the loss of regions would come on top.
    """
    assert batch.targets is not None
    began = time.perf_counter()
    found, right = oracle.answer(model, batch, 0), batch.targets.answer[0]
    loss = F.cross_entropy(found.logits, right)
    for logits, truth in ((found.start_logits, batch.targets.start), (found.end_logits, batch.targets.end)):
        loss = loss + F.cross_entropy(logits[right], truth[0]) / 4
    loss.backward()
    trained = time.perf_counter()
    with torch.no_grad():
        oracle.answer(model, batch, 0)
    return trained - began, time.perf_counter() - trained


if __name__ == "__main__":
    main()
