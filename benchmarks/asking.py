"""Latency and peak memory of `stage ask`, by the length of the film.

    python benchmarks/asking.py [--minutes 1 5 20]

An episode of the sitcom (640 x 360, one minute) is drawn, and repeated to make longer films. About each, a
question is asked in a new process with an empty cache (cold), then in another one (warm: the film's regions are
cached), as a user does; then further questions are asked in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import av

from stage.inference.answerer import Answerer
from stage.sitcom.episodes import write_sitcom

QUESTION = "What does Mia hold when Ida comes in ?"
ANSWERS = ("A red mug .", "A phone .", "A trophy .", "A pizza .", "An apple .")
PROGRAM = """
import sys
from stage.commands import main
from stage.runtime.allocator import peak_memory
try:
    main()
finally:
    print(peak_memory(), file=sys.stderr)
"""
FURTHER_QUESTIONS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 5, 20])
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_sitcom(folder / "sitcom", "test", 1, seed=77)
        episode = next((folder / "sitcom" / "episodes").glob("*.mp4"))
        for minutes in arguments.minutes:
            film = repeat(episode, folder / f"{minutes}.mp4", minutes)
            os.environ["STAGE_CACHE"] = str(folder / f"cache-{minutes}")
            cold, memory = ask(film)
            warm, _ = ask(film)
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                further = process.submit(further_questions, film).result()
            print(
                f"{minutes} min: first answer {cold:.1f} s ({cold / minutes:.1f} s per minute of film), with cached "
                f"regions {warm:.1f} s; a further question {further:.3f} s; peak memory {memory / 1e6:.0f} MB"
            )


def repeat(episode: Path, out: Path, times: int) -> Path:
    """Write a film that repeats an episode, by copying its packets with later timestamps."""
    with av.open(str(out), "w") as written:
        stream = None
        for n in range(times):
            with av.open(str(episode)) as read:
                source = read.streams.video[0]
                stream = stream or written.add_stream_from_template(source)
                assert source.duration is not None
                for packet in read.demux(source):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts += n * source.duration
                        packet.dts += n * source.duration
                        packet.stream = stream
                        written.mux(packet)
    return out


def ask(film: Path) -> tuple[float, int]:
    """Seconds, and bytes of peak memory, of `stage ask` in a new process."""
    answers = [word for answer in ANSWERS for word in ("--answer", answer)]
    command = [sys.executable, "-c", PROGRAM, "ask", str(film), "--question", QUESTION, *answers, "--json"]
    start = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    json.loads(process.stdout)
    return seconds, int(process.stderr.split()[-1])


def further_questions(film: Path) -> float:
    """The median seconds of a question about a film that is open."""
    opened = Answerer.from_pretrained().open(film)
    seconds = []
    for _ in range(FURTHER_QUESTIONS):
        start = time.perf_counter()
        opened.ask(QUESTION, ANSWERS)
        seconds.append(time.perf_counter() - start)
    return median(seconds)


if __name__ == "__main__":
    main()
