"""Data set issues: reported and counted, each with where it is and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Issues:
    """Irregularities of a data set."""

    by_kind: dict[str, list[str]] = field(default_factory=dict)
    """Kind -> the locations (question, clip, file) of its cases."""
    fixes: dict[str, str] = field(default_factory=dict)
    """Kind -> what to do about its cases, where it is known."""
    errors: set[str] = field(default_factory=set)
    """The kinds with which commands refuse the data set or results are wrong; with the others, results are right."""

    def add(self, kind: str, location: str, fix: str = "", *, error: bool = False) -> None:
        """kind: a plural, such as "questions without boxes"; fix: what to do; error: as in `errors`."""
        self.by_kind.setdefault(kind, []).append(location)
        if fix:
            self.fixes[kind] = fix
        if error:
            self.errors.add(kind)

    def extend(self, other: Issues) -> None:
        """Add another's cases."""
        for kind, locations in other.by_kind.items():
            self.by_kind.setdefault(kind, []).extend(locations)
        self.fixes |= other.fixes
        self.errors |= other.errors

    def summary(self) -> Iterator[str]:
        """One line per kind, with its number of cases and the first of them."""
        for kind, locations in self.by_kind.items():
            first = "" if len(locations) == 1 else "first: "
            yield f"{kind}: {len(locations):,} ({first}{locations[0]})"
