"""Speed and memory of reading questions: released files against packed ones.

    python benchmarks/reading.py FOLDER [--split train]

FOLDER contains the released features; if they aren't packed, they are packed into a temporary folder. Each layout
is read by its own process with one thread and a warm cache, in training order and in random order. Rates by
processor time are reported next to those by the clock: on a busy machine only the former are comparable.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import torch

from stage.data.examples import Limits
from stage.data.layouts import folder
from stage.data.loading import LengthBucketSampler
from stage.data.question_set import QuestionSet
from stage.release.layout import PACKED_FOLDER, open_released
from stage.release.packing import pack_release
from stage.runtime.allocator import peak_memory

SEED = 2018
BATCH_SIZE = 16


@dataclass(frozen=True)
class Reading:
    """The reading rates of one layout."""

    questions: int
    clock: dict[str, float]
    """Order -> questions per second."""
    processor: dict[str, float]
    """Order -> questions per second of processor time."""
    peak_mb: float
    """Peak resident memory of the process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="train")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        packed = arguments.folder / PACKED_FOLDER
        if not folder.matches(packed / arguments.split):
            packed = Path(temporary)
            pack_release(arguments.folder, packed, Limits().regions, lambda done, of, what: None)
        released = in_new_process(partial(open_released, arguments.folder / arguments.split, Limits()))
        packed_reading = in_new_process(partial(folder.open_questions, packed / arguments.split, Limits()))
    print(f"{packed_reading.questions} questions; questions/s by the clock (by processor time)")
    for order in packed_reading.clock:
        print(
            f"{order:15} released {rates(released, order)}, packed {rates(packed_reading, order)}: "
            f"{packed_reading.processor[order] / released.processor[order]:.1f} times as fast"
        )
    print(f"peak memory     released {released.peak_mb:.0f} MB, packed {packed_reading.peak_mb:.0f} MB")


def rates(reading: Reading, order: str) -> str:
    return f"{reading.clock[order]:.0f} ({reading.processor[order]:.0f})"


def in_new_process(open_set: Callable[[], QuestionSet]) -> Reading:
    """Read in a new process, so that its peak memory is that of reading alone."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(read, open_set).result()


def read(open_set: Callable[[], QuestionSet]) -> Reading:
    torch.set_num_threads(1)
    questions = open_set()
    batches = LengthBucketSampler(questions.sizes(), BATCH_SIZE, SEED)
    shuffled = torch.randperm(len(questions), generator=torch.Generator().manual_seed(SEED)).tolist()
    speed_of(questions, shuffled)  # warms the cache
    orders = {"training order": [i for batch in batches for i in batch], "random order": shuffled}
    speeds = {name: speed_of(questions, order) for name, order in orders.items()}
    clock, processor = ({name: speed[i] for name, speed in speeds.items()} for i in (0, 1))
    return Reading(len(questions), clock, processor, peak_memory() / 1e6)


def speed_of(questions: QuestionSet, order: Sequence[int]) -> tuple[float, float]:
    """Questions per second by the clock, and by processor time."""
    clock, processor = perf_counter(), process_time()
    for index in order:
        questions.example(index)
    return len(order) / (perf_counter() - clock), len(order) / (process_time() - processor)


if __name__ == "__main__":
    main()
