"""Data set issues that are reported and counted, and never fatal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Issues:
    """Irregularities of a data set."""

    by_kind: dict[str, list[str]] = field(default_factory=dict)
    """Kind -> the locations (question, clip, file) of its cases."""

    def add(self, kind: str, location: str) -> None:
        """kind: a plural, such as "questions without boxes"."""
        self.by_kind.setdefault(kind, []).append(location)

    def extend(self, other: Issues) -> None:
        """Add another's cases."""
        for kind, locations in other.by_kind.items():
            self.by_kind.setdefault(kind, []).extend(locations)

    def summary(self) -> Iterator[str]:
        """One line per kind, with its number of cases and the first of them."""
        for kind, locations in self.by_kind.items():
            first = "" if len(locations) == 1 else "first: "
            yield f"{kind}: {len(locations):,} ({first}{locations[0]})"
