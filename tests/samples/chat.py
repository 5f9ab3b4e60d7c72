"""A model for tests that is asked about films: it replies as its script says, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stage.inference import names
from stage.inference.answerer import Setup
from stage.vlm.answerer import VlmAnswerer
from stage.vlm.chat import Choice, Frame, Habits, Limits, Part, Reply

Asked = list[Part]


def text_of(parts: Sequence[Part]) -> str:
    """The text of a prompt, without its frames."""
    return "".join(part for part in parts if isinstance(part, str))


def seconds_of(parts: Sequence[Part]) -> list[float]:
    """The seconds of the frames in a prompt."""
    return [part.second for part in parts if isinstance(part, Frame)]


@dataclass
class ScriptedModel:
    """A `ChatModel` whose replies are given."""

    chooses: Callable[[Asked, Sequence[str]], Choice] = lambda parts, letters: Choice(
        (1 / len(letters),) * len(letters)
    )
    writes: Callable[[Asked], Reply] = lambda parts: Reply("")
    limits: Limits = field(default_factory=lambda: Limits(frames=4, longest_side=160))
    habits: Habits = field(default_factory=Habits)
    notes: tuple[str, ...] = ()
    name: str = "vlm:scripted"
    identity: str = "scripted"
    prompts: list[Asked] = field(default_factory=list)
    """All that were asked."""

    def choose(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        """As in `ChatModel`."""
        self.prompts.append(list(parts))
        return self.chooses(list(parts), letters)

    def write(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        """As in `ChatModel`."""
        self.prompts.append(list(parts))
        return self.writes(list(parts))


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the answerer "scripted:" known for a test."""
    monkeypatch.setitem(names.KINDS, "scripted:", "samples.chat")


def load(spec: str | Path, setup: Setup) -> VlmAnswerer:
    """The answerer "scripted:", which finds all letters equally likely."""
    return VlmAnswerer(ScriptedModel(), setup)
