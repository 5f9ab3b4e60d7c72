"""A run: one system trained with one seed and scored on the test questions. What it is and gives lies in its folder.

OUT/runs/SYSTEM/seed-SEED/
    run.json      the settings and the test questions
    checkpoints, logs, model   as `stage train` writes them
    log.txt       what the process printed
    scores.json   the scores of the test questions; last of all, whole or not at all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.experiments.systems import SYSTEMS, System, settings_for, text_kind
from stage.io import read_json, write_json, write_text
from stage.training.config import DataConfig, RunConfig, load_config, settings_of
from stage.training.resuming import difference

RUN, SCORES, LOG = "run.json", "scores.json", "log.txt"
RUNS = "runs"
WITHOUT_EFFECT = frozenset({"output", "data.workers", "training.device"})
"""Settings that do not change what is learnt."""
OF_A_COPY = WITHOUT_EFFECT | {"data.root", "data.train", "data.val"}
"""The same for a row that needs certain word vectors: it may have been run on a copy of the data that has them."""


class Run(BaseModel):
    """What a process needs to know to train and score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    config: RunConfig
    test: Path

    @property
    def folder(self) -> Path:
        return self.config.output

    @property
    def name(self) -> str:
        return f"{self.system}, seed {self.config.training.seed}"


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of a finished run."""

    system: str
    seed: int
    test: str
    text: str
    """Name of the text encoder of the features."""
    scores: dict[str, Any]
    """As `Scores.to_json` gives them."""
    scores_given_span: dict[str, Any] | None
    """The same, answering with the true span given; none for a system that does not answer from a span."""
    minutes: float | None
    """Of training; none if it was not trained in one go."""


def unfinished_runs(
    config: Path, test: Path, out: Path, systems: Sequence[str], seeds: int, settings: Sequence[str]
) -> list[Run]:
    """The runs that some systems still lack, those of the first seed first.

    What isn't trained is run once; systems that need other word vectors than the data have are left out. Raises
    InputError if the configuration or a setting does not validate, data can't be opened, or a folder holds a run
    of other settings.
    """
    first = load_config(config, settings).training.seed
    runs = [
        _make_run(config, test, out, SYSTEMS[name], seed, settings)
        for seed in range(first, first + seeds)
        for name in systems
        if SYSTEMS[name].trained or seed == first
    ]
    missing = [run for run in runs if not is_finished(run)]
    if not missing:
        return []
    found = text_kind(text_of(missing[0]))
    return [run for run in missing if SYSTEMS[run.system].text in (None, found)]


def _make_run(config: Path, test: Path, out: Path, system: System, seed: int, settings: Sequence[str]) -> Run:
    folder = out / RUNS / system.name / f"seed-{seed}"
    own = [*settings_for(system, settings), f"training.seed={seed}"]
    loaded = load_config(config, own).model_copy(update={"output": folder})
    return Run(system=system.name, config=loaded, test=test)


def text_of(run: Run) -> str:
    """The name of the text encoder of a run's features.

    Raises InputError if training and test questions can't be opened, or are of different encoders.
    """
    data, test = run.config.data, open_questions(run.test, run.config.data.limits)
    for split in (data.train, data.val):
        open_questions(data.place(split), data.limits).check_same_features(test)
    return test.text_name


def is_finished(run: Run) -> bool:
    """Whether the run's scores are there, for the run's test questions.

    Raises InputError if its folder holds a run of other settings: what was learnt there is something else.
    """
    if not (run.folder / RUN).exists():
        return False
    before = read_run(run.folder)
    elsewhere = _places(before.config.data) != _places(run.config.data)
    in_a_copy = elsewhere and SYSTEMS[run.system].text is not None
    without = OF_A_COPY if in_a_copy else WITHOUT_EFFECT
    if different := difference(settings_of(before.config), settings_of(run.config), without):
        raise InputError(
            f"{run.folder}: was run with other settings ({different}); choose another --out, or remove it"
        )
    same_test = before.test.absolute() == run.test.absolute()
    return (in_a_copy or same_test) and (run.folder / SCORES).exists()


def _places(data: DataConfig) -> tuple[Path, Path]:
    return data.place(data.train), data.place(data.val)


def begin(run: Run) -> None:
    """Write down what is about to be run. Scores of other test questions are removed."""
    (run.folder / SCORES).unlink(missing_ok=True)
    write_text(run.folder / RUN, run.model_dump_json(indent=1))


def read_run(folder: Path) -> Run:
    """The run of a folder. Raises InputError if it is not one."""
    try:
        return Run.model_validate(read_json(folder / RUN))
    except ValidationError:
        raise InputError(f"{folder / RUN}: is not a run of this version; choose another --out") from None


def write_result(folder: Path, result: Result) -> None:
    fields = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    write_json(folder / SCORES, fields)


def read_results(out: Path) -> list[Result]:
    """The finished runs below a folder, by system and seed."""
    return [_read_result(path) for path in sorted(out.glob(f"{RUNS}/*/*/{SCORES}"))]


def _read_result(path: Path) -> Result:
    content = read_json(path)
    try:
        return Result(**content)
    except TypeError:
        raise InputError(f"{path}: is not the result of a run; remove it to score the run again") from None
