"""The command line, called within the process of the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def refused(self, reason: str) -> bool:
        """Whether it ended as bad input must: one line on standard error, exit code 2."""
        return self.code == 2 and self.err.count("\n") == 1 and reason in self.err


Run = Callable[..., Done]
