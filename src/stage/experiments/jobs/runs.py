"""A run: one system trained with one seed and scored; its folder and result.

OUT/runs/SYSTEM/seed-SEED/
    run.json      the settings, the test questions, and the fingerprints of all data
    checkpoints, logs, model   as written by `stage train`
    log.txt       the output of the process
    scores.json   the scores on the test questions, written last and atomically
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from stage.data.fingerprint import DataFingerprint
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.experiments.systems import SYSTEMS, System, settings_for, text_kind
from stage.io import read_json, write_json, write_text
from stage.training.config import DataConfig, RunConfig, load_config, settings_of
from stage.training.resuming import Fingerprints, changed_data, first_difference

RUN, SCORES, LOG = "run.json", "scores.json", "log.txt"
RUNS = "runs"
NEUTRAL_SETTINGS = frozenset({"output", "data.workers", "training.device", "training.at_once"})
"""Settings that don't change what is learnt."""
NEUTRAL_IN_A_COPY = NEUTRAL_SETTINGS | {"data.root", "data.train", "data.val"}
"""For a system that needs certain word vectors: it may have been run on a copy of the data with those."""


class RunData(BaseModel):
    """The fingerprints of the data of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: DataFingerprint
    val: DataFingerprint
    test: DataFingerprint

    def of_training(self, *, features: bool) -> Fingerprints:
        """Those of the questions that are learned from. features: with those of the features."""
        parts = {"data.train": self.train.to_json(), "data.val": self.val.to_json()}
        omitted = frozenset[str]() if features else {"features"}
        return {
            name: {part: value for part, value in fingerprint.items() if part not in omitted}
            for name, fingerprint in parts.items()
        }


class Run(BaseModel):
    """The content of run.json: all that a worker process needs to train and score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    config: RunConfig
    test: Path
    data: RunData | None = None
    """None if the data can't be opened, and in runs of earlier versions."""

    @property
    def folder(self) -> Path:
        return self.config.output

    @property
    def name(self) -> str:
        return f"{self.system}, seed {self.config.training.seed}"


@dataclass(frozen=True, slots=True)
class Result:
    """The content of scores.json: the scores of a finished run."""

    system: str
    seed: int
    test: str
    text: str
    """Name of the text encoder of the features."""
    scores: dict[str, Any]
    """As returned by `Scores.to_json`."""
    scores_given_span: dict[str, Any] | None
    """Those given the true span; None for a system whose answer doesn't depend on a span."""
    minutes: float | None
    """Of training; None if it was interrupted, or nothing was trained."""


def unfinished_runs(
    config: Path, test: Path, out: Path, systems: Sequence[str], seeds: int, settings: Sequence[str]
) -> list[Run]:
    """The unfinished runs of some systems, ordered by seed.

    Systems without training have one run; those that need other word vectors than the data's are left out. Raises
    InputError if the configuration or a setting is invalid, data can't be opened, or a folder contains a run with
    other settings or on other data.
    """
    general = load_config(config, settings)
    first, data = general.training.seed, _data_of(general.data, test)
    runs = [
        _make_run(config, test, out, SYSTEMS[name], seed, settings, data)
        for seed in range(first, first + seeds)
        for name in systems
        if SYSTEMS[name].trained or seed == first
    ]
    unfinished = [run for run in runs if not is_finished(run)]
    if not unfinished:
        return []
    available = text_kind(text_encoder_of(unfinished[0]))
    return [run for run in unfinished if SYSTEMS[run.system].text in (None, available)]


def _data_of(data: DataConfig, test: Path) -> RunData | None:
    """None if anything can't be opened: results can be shown where the data are not."""
    try:
        return RunData(
            train=open_questions(data.path_of(data.train), data.limits).labelled().fingerprint(),
            val=open_questions(data.path_of(data.val), data.limits).fingerprint(),
            test=open_questions(test, data.limits).fingerprint(),
        )
    except InputError:
        return None


def _make_run(
    config: Path,
    test: Path,
    out: Path,
    system: System,
    seed: int,
    settings: Sequence[str],
    data: RunData | None,
) -> Run:
    folder = out / RUNS / system.name / f"seed-{seed}"
    overrides = [*settings_for(system, settings), f"training.seed={seed}"]
    loaded = load_config(config, overrides).model_copy(update={"output": folder})
    return Run(system=system.name, config=loaded, test=test, data=data)


def text_encoder_of(run: Run) -> str:
    """The name of the text encoder of a run's features.

    Raises InputError if training or test questions can't be opened, or have features of different encoders.
    """
    data, test = run.config.data, open_questions(run.test, run.config.data.limits)
    for split in (data.train, data.val):
        open_questions(data.path_of(split), data.limits).check_same_features(test)
    return test.text_name


def is_finished(run: Run) -> bool:
    """Whether the run has scores on its test questions.

    Raises InputError if its folder contains a run with other settings, or that was trained on other data.
    """
    if not (run.folder / RUN).exists():
        return False
    before = read_run(run.folder)
    other_data = _data_paths(before.config.data) != _data_paths(run.config.data)
    in_a_copy = other_data and SYSTEMS[run.system].text is not None
    neutral = NEUTRAL_IN_A_COPY if in_a_copy else NEUTRAL_SETTINGS
    if different := first_difference(settings_of(before.config), settings_of(run.config), neutral):
        raise InputError(
            f"{run.folder}: was run with other settings ({different}); choose another --out, or remove it"
        )
    if before.data and run.data:
        known, now = (data.of_training(features=not in_a_copy) for data in (before.data, run.data))
        if changed := changed_data(known, now):
            raise InputError(
                f"{run.folder}: was run on other data ({changed}); restore them, choose another --out, or remove it"
            )
    same_test = before.test.absolute() == run.test.absolute()
    if before.data and run.data and not in_a_copy:
        same_test &= before.data.test == run.data.test
    return (in_a_copy or same_test) and (run.folder / SCORES).exists()


def _data_paths(data: DataConfig) -> tuple[Path, Path]:
    return data.path_of(data.train), data.path_of(data.val)


def prepare(run: Run) -> None:
    """Write the run to its folder, and remove scores on other test questions."""
    (run.folder / SCORES).unlink(missing_ok=True)
    write_text(run.folder / RUN, run.model_dump_json(indent=1))


def read_run(folder: Path) -> Run:
    """Read a run from its folder. Raises InputError if it can't be read."""
    try:
        return Run.model_validate(read_json(folder / RUN))
    except ValidationError:
        raise InputError(f"{folder / RUN}: is not a run of this version; choose another --out") from None


def write_result(folder: Path, result: Result) -> None:
    fields = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    write_json(folder / SCORES, fields)


def read_results(out: Path) -> list[Result]:
    """The results of all finished runs below a folder, sorted by system and seed."""
    return [_read_result(path) for path in sorted(out.glob(f"{RUNS}/*/*/{SCORES}"))]


def _read_result(path: Path) -> Result:
    content = read_json(path)
    try:
        return Result(**content)
    except TypeError:
        raise InputError(f"{path}: is not the result of a run; remove it to score the run again") from None
