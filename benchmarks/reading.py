"""How fast one process reads questions, and how much memory that takes: released files against packed ones.

    python benchmarks/reading.py FOLDER [--split train]

FOLDER holds released features. What is not packed yet is packed into a temporary folder. Each layout is read in a
process and a thread of its own, on a warm cache, in the order of training and at random. Seconds of the processor are
told beside those of the clock: on a busy machine only the former compare.
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
from stage.release.files import is_here
from stage.release.layout import PACKED_FOLDER, open_released
from stage.release.packing import pack_release
from stage.runtime.allocator import peak_memory

SEED = 2018
BATCH_SIZE = 16


@dataclass(frozen=True)
class Reading:
    """One layout, read whole."""

    questions: int
    clock: dict[str, float]
    """Order -> questions a second."""
    processor: dict[str, float]
    """Order -> questions a second of processor time."""
    peak_mb: float
    """Largest resident memory of the process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="train")
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        packed = given.folder / PACKED_FOLDER
        if not is_here(packed / given.split):
            packed = Path(temporary)
            pack_release(given.folder, packed, Limits().regions, lambda done, of, what: None)
        released = alone(partial(open_released, given.folder / given.split, Limits()))
        compact = alone(partial(folder.open_questions, packed / given.split, Limits()))
    print(f"{compact.questions} questions; questions/s by the clock (by processor time)")
    for order in compact.clock:
        print(
            f"{order:15} released {shown(released, order)}, packed {shown(compact, order)}: "
            f"{compact.processor[order] / released.processor[order]:.1f} times as fast"
        )
    print(f"peak memory     released {released.peak_mb:.0f} MB, packed {compact.peak_mb:.0f} MB")


def shown(reading: Reading, order: str) -> str:
    return f"{reading.clock[order]:.0f} ({reading.processor[order]:.0f})"


def alone(opened: Callable[[], QuestionSet]) -> Reading:
    """Read in a new process, so that its memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(read, opened).result()


def read(opened: Callable[[], QuestionSet]) -> Reading:
    torch.set_num_threads(1)
    questions = opened()
    batches = LengthBucketSampler(questions.sizes(), BATCH_SIZE, BATCH_SIZE, SEED)
    shuffled = torch.randperm(len(questions), generator=torch.Generator().manual_seed(SEED)).tolist()
    speed_of(questions, shuffled)  # warms the cache
    orders = {"training order": [i for batch in batches for i in batch], "random order": shuffled}
    speeds = {name: speed_of(questions, order) for name, order in orders.items()}
    clock, processor = ({name: speed[i] for name, speed in speeds.items()} for i in (0, 1))
    return Reading(len(questions), clock, processor, peak_memory() / 1e6)


def speed_of(questions: QuestionSet, order: Sequence[int]) -> tuple[float, float]:
    """Questions a second, and a second of processor time."""
    clock, processor = perf_counter(), process_time()
    for index in order:
        questions.example(index)
    return len(order) / (perf_counter() - clock), len(order) / (process_time() - processor)


if __name__ == "__main__":
    main()
