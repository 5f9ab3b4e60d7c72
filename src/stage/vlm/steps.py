"""How far a question is: prompts that were asked, of those that are known to be needed"""

from __future__ import annotations

from stage.types import Progress


class Steps:
    """Counts the prompts of a question. How many there will be becomes known on the way."""

    def __init__(self, progress: Progress | None = None) -> None:
        """progress: is told of every prompt."""
        self._progress = progress
        self._done = self._expected = 0

    def expect(self, prompts: int) -> None:
        """So many more will be needed."""
        self._expected += prompts

    def advance(self) -> None:
        """One more was answered."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._expected), "prompts")
