"""How long `stage ask` takes to start: a question about a film of a minute, cold and warm, beside `import torch`.

    python benchmarks/start.py [--times 5] [--before ANOTHER/src]

An episode of the sitcom is drawn, and a question about it is asked of the packaged model, each time in a new process:
with an empty cache (cold), and again (warm: the film's regions are cached). `python -c "import torch"` is run in
between, so that other work on the machine counts for all alike. Shown are the best and the median time of each,
and the ratio of the best to that of torch. --before: the source folder of another version, asked in the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

from stage.sitcom.episodes import write_sitcom

QUESTION = (
    "--question",
    "What does Mia hold when Ida comes in ?",
    "--answer",
    "A red mug .",
    "--answer",
    "A phone .",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--before", type=Path, metavar="SRC")
    arguments = parser.parse_args()
    versions = {"this version": Path(__file__).resolve().parents[1] / "src"}
    if arguments.before:
        versions["before"] = arguments.before.resolve()
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_sitcom(folder / "sitcom", "test", 1, seed=77, workers=1)
        film = next((folder / "sitcom" / "episodes").glob("*.mp4"))
        ask = ("-m", "stage", "ask", str(film), *QUESTION, "--model", "sitcom")
        for _ in range(arguments.times):
            taken.setdefault("import torch", []).append(seconds(("-c", "import torch"), {}))
            for name, source in versions.items():
                cache = folder / "cache"
                rmtree(cache, ignore_errors=True)
                for state in ("cold", "warm"):
                    environment = {"STAGE_CACHE": str(cache), "PYTHONPATH": str(source)}
                    taken.setdefault(f"stage ask, {state}, {name}", []).append(seconds(ask, environment))
    torch = min(taken["import torch"])
    for what, times in taken.items():
        best = min(times)
        print(f"{what}: best {best:.2f} s, median {median(times):.2f} s, {best / torch:.2f} times torch")


def seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """The time that a Python process with these arguments takes."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
