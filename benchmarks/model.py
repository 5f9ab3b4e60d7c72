"""Speed of STAGE on released features, against a plain implementation in one run.

    python benchmarks/model.py FOLDER [--split train] [--steps 10] [--threads 2] [--at-once 16] [--compile never]
                               [--device cuda]

FOLDER contains the released features, packed or not. A training step is that of `stage train`: 16 questions, both
streams, local features, temporal and spatial supervision; inference is that of `stage predict`. The plain
implementation is the tests' oracle: a loop over hypotheses and frames, one sequence at a time, with gradients by
autograd. For both, freed memory is kept between steps. On a GPU, the time of a step includes copying its batches
there; the plain implementation stays on the CPU. Ratios can be compared between machines, seconds can't.
"""

from __future__ import annotations

import argparse
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
from stage.data.loading import CollateStep, LengthBucketSampler, inference_batches
from stage.data.question_set import QuestionSet
from stage.model.build import training_losses
from stage.model.config import StageConfig
from stage.model.losses import LossWeights
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
    parser.add_argument("--at-once", type=int, help="by default all of a step")
    parser.add_argument("--compile", choices=("auto", "never"), default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-plain", action="store_true", help="skip the plain implementation")
    arguments = parser.parse_args()
    device = arguments.device
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    questions = open_questions(arguments.folder / arguments.split, Limits())
    sizes = {"text_dim": questions.text_dim, "region_dim": questions.region_dim}
    torch.manual_seed(STEP.seed)
    model = Stage(StageConfig(**sizes)).to(device)
    steps = batches_of(questions, arguments.at_once, arguments.steps)
    batches = inference_batches(questions)
    selected = batches[:: max(1, len(batches) // arguments.steps)]
    inputs = [[collate([questions.example(i) for i in batch])] for batch in selected]

    dtypes = [torch.float32, torch.bfloat16] if bfloat16_is_fast(device) else [torch.float32]
    if not bfloat16_is_fast(device):
        print("bfloat16: not measured, this processor only emulates it")
    for dtype in dtypes:
        a = torch.randn(MATRIX, MATRIX).to(device, dtype)
        peak = 2 * MATRIX**3 / seconds([lambda a=a: a @ a] * 9) / 1e9
        print(f"{arguments.threads} threads; {dtype} matrix product: {peak:.0f} GFLOP/s")
    flops = flops_per_step(model, steps)
    speeds = {f"{dtype}": speed(dtype, model, steps, inputs) for dtype in dtypes}
    if arguments.compile == "auto" and device == "cpu":
        if reason := compile_ops():
            print(f"not compiled: {reason}")
        else:
            speeds |= {f"{dtype}, compiled": speed(dtype, model, steps, inputs) for dtype in dtypes}
    if device == "cuda":
        print(f"peak memory of the GPU: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")
    print(f"peak memory of the process, with {len(steps)} steps loaded: {peak_memory() / 1e9:.2f} GB")
    for name, (step_seconds, answer_seconds) in speeds.items():
        print(
            f"{name}: {step_seconds:.3f} s per step of {STEP.batch_size} "
            f"({flops / step_seconds / 1e9:.0f} GFLOP/s), {1 / answer_seconds:.0f} answers/s"
        )
    if arguments.no_plain:
        return
    plain, plain_answer = plain_speed(model.cpu(), steps[0][0])
    print(f"plain implementation: {plain * STEP.batch_size:.0f} s per step, {1 / plain_answer:.2f} answers/s")
    for name, (step_seconds, answer_seconds) in speeds.items():
        print(
            f"{name}: a step takes 1/{plain * STEP.batch_size / step_seconds:.0f} of the plain one's time, "
            f"{plain_answer / answer_seconds:.0f} times as many answers per second"
        )


def flops_per_step(model: Stage, steps: Sequence[Sequence[Batch]]) -> float:
    """FLOPs of the matrix operations of a step. To be counted before anything is compiled, which hides them."""
    optimizer = torch.optim.Adam(model.parameters())
    with FlopCounterMode(display=False) as counter:
        for micro_batches in steps:
            step(model, optimizer, micro_batches)
    return counter.get_total_flops() / len(steps)


def speed(
    dtype: torch.dtype, model: Stage, steps: Sequence[Sequence[Batch]], inputs: Sequence[Sequence[Batch]]
) -> tuple[float, float]:
    """Seconds per training step, and per answer."""
    with torch.autocast(_device_of(model), dtype, enabled=dtype != torch.float32):
        optimizer = torch.optim.Adam(model.parameters())
        step_seconds = seconds([partial(step, model, optimizer, micro_batches) for micro_batches in steps])
        batch_seconds = seconds([partial(answer, model, batches) for batches in inputs])
    return step_seconds, batch_seconds * len(inputs) / sum(len(batch) for [batch] in inputs)


def batches_of(questions: QuestionSet, at_once: int | None, steps: int) -> list[list[Batch]]:
    """Training steps of 16 questions, each as micro-batches of at most `at_once`."""
    *whole, _ = LengthBucketSampler(questions.sizes(), STEP.batch_size, STEP.seed)  # the last may be short
    divide = CollateStep(at_once)
    return [divide([questions.example(i, training=True) for i in batch]) for batch in whole[:steps]]


def seconds(runs: Sequence[Callable[[], object]]) -> float:
    """The median time of several runs. All are run once before: the first of a shape compiles kernels for it."""
    for run in runs:
        run()
    times = []
    for run in runs:
        _synchronize()
        start = time.perf_counter()
        run()
        _synchronize()
        times.append(time.perf_counter() - start)
    return median(times)


def step(model: Stage, optimizer: torch.optim.Optimizer, micro_batches: Sequence[Batch]) -> None:
    model.train()
    parts = [batch.to(_device_of(model)) for batch in micro_batches]
    losses, _ = training_losses(model, parts, LossWeights())
    losses.total.backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.inference_mode()
def answer(model: Stage, batches: Sequence[Batch]) -> None:
    model.eval()
    for batch in batches:
        model.answer(batch.to(_device_of(model)))


def _synchronize() -> None:
    """Wait for the GPU to finish its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _device_of(model: Stage) -> str:
    return next(model.parameters()).device.type


def plain_speed(model: Stage, batch: Batch) -> tuple[float, float]:
    """Seconds of the plain implementation for the first question of a batch: of training, and of inference.

    Training has the answer and span losses, without dropout; the attention loss would take extra time.
    """
    assert batch.targets is not None
    start = time.perf_counter()
    output, right = oracle.answer(model, batch, 0), batch.targets.answer[0]
    loss = F.cross_entropy(output.logits, right)
    for logits, truth in ((output.start_logits, batch.targets.start), (output.end_logits, batch.targets.end)):
        loss = loss + F.cross_entropy(logits[right], truth[0]) / 4
    loss.backward()
    after_training = time.perf_counter()
    with torch.no_grad():
        oracle.answer(model, batch, 0)
    return after_training - start, time.perf_counter() - after_training


if __name__ == "__main__":
    main()
