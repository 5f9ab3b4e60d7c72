"""What is irregular in a data set: counted, named, never fatal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Issues:
    """Irregularities by kind; each with where it is (question, clip, file)."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, where: str) -> None:
        self.found.setdefault(kind, []).append(where)

    def extend(self, other: Issues) -> None:
        for kind, places in other.found.items():
            self.found.setdefault(kind, []).extend(places)

    def summary(self) -> Iterator[str]:
        """One line a kind, with the first case."""
        for kind, places in self.found.items():
            yield f"{len(places):,} {kind} ({'' if len(places) == 1 else 'first: '}{places[0]})"
