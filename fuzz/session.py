"""A session: inputs of one kind, made from its valid files one after the other, each tried and counted."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from fuzz.kind import Kind
from fuzz.mutations import ESCAPED
from fuzz.trial import READ, UNUSABLE, Outcome, attempt
from stage.errors import InputError

DEPTH = "a/b/c"
"""Between the folder of all trials and that of one: names that lead out of the latter still end in the former."""
MAKING = 600
"""Seconds that making valid files may take."""
OUTCOME_FILE = "outcome.txt"


@dataclass(slots=True)
class Tally:
    """What became of the inputs of a kind."""

    kind: str
    results: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Of the longest input."""
    megabytes: float = 0.0
    """Of the largest input."""
    failures: list[str] = field(default_factory=list)
    """A line each: number, reader, result, reason."""

    def add(self, number: int, reader: object, outcome: Outcome) -> None:
        self.results[outcome.result] += 1
        self.seconds = max(self.seconds, outcome.seconds)
        self.megabytes = max(self.megabytes, outcome.megabytes)
        if outcome.failed:
            self.failures.append(f"{number}: {outcome.result}: {outcome.reason} [{reader}]")


def fuzz(
    kind: Kind,
    seed: int,
    numbers: Iterable[int],
    keep: Path | None,
    report: Callable[[str], None] | None = None,
) -> Tally:
    """Try the inputs with these numbers. Those that fail are copied to `keep`.

    Raises RuntimeError if the unchanged files aren't read: then nothing would be tried.
    """
    tally = Tally(kind.name)
    with TemporaryDirectory(prefix="fuzz-") as base:
        valid = Path(base) / "valid"
        _make(kind, valid)
        for reader in kind.readers:
            _check_valid(kind, reader, valid)
        for number in numbers:
            random = Random(f"{seed} {kind.name} {number}")
            folder = Path(base) / str(number) / DEPTH / "files"
            shutil.copytree(valid, folder)
            changed = _mutate(kind, folder, random)
            reader = random.choice(kind.readers)
            outcome = _tried(reader, folder)
            tally.add(number, reader, outcome)
            if outcome.failed and keep:
                _keep(keep / kind.name / f"{seed}-{number}", changed, reader, outcome)
            if outcome.failed and report:
                report(f"{kind.name} {tally.failures[-1]}")
            shutil.rmtree(Path(base) / str(number))
    return tally


def _make(kind: Kind, valid: Path) -> None:
    """Make the valid files, in a process of its own: threads that it starts would not survive a fork."""
    valid.mkdir()
    made = attempt(lambda: kind.make(valid), valid, MAKING)
    if made.result != READ:
        raise RuntimeError(f"{kind.name}: the valid files can't be made: {made.output}")


def _check_valid(kind: Kind, reader: Callable[[Path], object], valid: Path) -> None:
    """Read the unchanged files, and import what that takes into this process, from which trials are forked."""
    folder = valid.parent / "unchanged" / DEPTH / "files"
    shutil.copytree(valid, folder)
    imported = folder.parent / "imported"

    def read() -> None:
        try:
            _read(reader, folder)
        finally:
            imported.write_text("\n".join(sys.modules))

    outcome = attempt(read, folder)
    if outcome.result != READ:
        raise RuntimeError(f"{kind.name}, {reader}: the unchanged files are not read: {outcome.output}")
    for name in imported.read_text().splitlines():
        if name not in sys.modules:
            with suppress(Exception):  # some modules only exist after others
                importlib.import_module(name)
    shutil.rmtree(valid.parent / "unchanged")


def _mutate(kind: Kind, folder: Path, random: Random) -> Path:
    """Change one of the files; which one is returned."""
    pattern = random.choice(sorted(kind.changed))
    path = random.choice(sorted(p for p in folder.glob(pattern) if p.is_file()))
    path.write_bytes(kind.changed[pattern](path.read_bytes(), random))
    return path


def _tried(reader: Callable[[Path], object], folder: Path) -> Outcome:
    outcome = attempt(lambda: _read(reader, folder), folder)
    if escaped := [path for path in folder.parents[3].rglob(f"{ESCAPED}*") if folder not in path.parents]:
        return Outcome(
            "outside", f"wrote {escaped[0].name}", outcome.seconds, outcome.megabytes, outcome.output
        )
    return outcome


def _read(reader: Callable[[Path], object], folder: Path) -> None:
    """Read as the command line does, which reports bad input in one line."""
    os.environ["STAGE_CACHE"] = str(folder / "cache")
    try:
        reader(folder)
    except InputError as error:
        print(f"stage: {error}", file=sys.stderr)
        sys.exit(UNUSABLE)


def _keep(target: Path, changed: Path, reader: object, outcome: Outcome) -> None:
    """Keep an input that failed, with what it printed."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(changed, target / changed.name)
    (target / OUTCOME_FILE).write_text(
        f"{reader}\n{outcome.result}: {outcome.reason}\n{outcome.output}", "utf-8"
    )
