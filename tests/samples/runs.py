"""Results of runs, and runs that have yet to be executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stage.experiments.jobs.runs import Result, Run, unfinished_runs


def result(system: str, seed: int, text: str = "minilm@1", **scores: Any) -> Result:
    types = {"what": {"qa_accuracy": scores.get("qa_accuracy"), "share": 0.6}}
    types |= {name: {"qa_accuracy": None, "share": 0.1} for name in ("who", "where", "why", "how")}
    return Result(
        system, seed, "data/test", text, {**scores, "per_question_type": types}, {"qa_accuracy": 0.9}, 2.0
    )


RESULTS = [
    *(result("stage", n, qa_accuracy=0.7 + 0.01 * n, temporal_miou=0.6, grounding_map=0.5) for n in range(3)),
    *(result("backbone", n, qa_accuracy=0.6, temporal_miou=0.2) for n in range(2)),
    result("two_stream", 0, qa_accuracy=0.715),
]


def runs_of(
    random_data: Path, out: Path, *systems: str, seeds: int = 1, settings: tuple[str, ...] = ()
) -> list[Run]:
    return unfinished_runs(random_data / "run.yaml", random_data, out, systems, seeds, settings)
