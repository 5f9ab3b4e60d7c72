"""A cache of what models replied, by model and prompt: an interrupted run goes on where it was

A prompt holds the pixels of its frames, so the film's content is part of what replies are found by. Each reply is a
file of its own, written whole or not at all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.features.store.cache_folder import cache_folder
from stage.io import read_json, write_json
from stage.vlm.chat import ChatModel, Choice, Frame, Habits, Limits, Part, Reply

FOLDER = "replies"
VERSION = 1
"""Changes with what is written."""


class CachedModel:
    """A model that is asked only what it wasn't asked before, as a `ChatModel`."""

    def __init__(self, model: ChatModel, folder: Path | None) -> None:
        """folder: by default the user's cache folder."""
        self.model = model
        self.asked = 0
        """Prompts that had to be given to the model."""
        self._notes: tuple[str, ...] = ()
        self._folder: Path | None = None
        try:
            place = hashlib.sha256(model.identity.encode()).hexdigest()[:16]
            self._folder = (folder or cache_folder()) / FOLDER / place
        except InputError as error:
            self._give_up(error)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def identity(self) -> str:
        """As in `ChatModel`."""
        return self.model.identity

    @property
    def limits(self) -> Limits:
        """As in `ChatModel`."""
        return self.model.limits

    @property
    def habits(self) -> Habits:
        """As in `ChatModel`."""
        return self.model.habits

    @property
    def notes(self) -> tuple[str, ...]:
        """As in `ChatModel`; and that nothing can be cached."""
        return (*self.model.notes, *self._notes)

    def choose(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        """As in `ChatModel`."""
        path = self._path(parts, f"choose {' '.join(letters)}")
        if (known := _choice(_read(path), len(letters))) is not None:
            return known
        self.asked += 1
        choice = self.model.choose(parts, letters)
        probabilities = None if choice.probabilities is None else list(choice.probabilities)
        self._keep(
            path, {"probabilities": probabilities, "letter": choice.letter, "notes": list(choice.notes)}
        )
        return choice

    def write(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        """As in `ChatModel`."""
        path = self._path(parts, f"write {most_tokens}")
        if (known := _reply(_read(path))) is not None:
            return known
        self.asked += 1
        reply = self.model.write(parts, most_tokens)
        self._keep(path, {"text": reply.text, "whole": reply.whole, "notes": list(reply.notes)})
        return reply

    def _path(self, parts: Sequence[Part], task: str) -> Path | None:
        if self._folder is None:
            return None
        digest = hashlib.sha256(f"{self.identity}\0{self.habits.stamp}\0{task}".encode())
        for part in parts:
            if isinstance(part, Frame):
                digest.update(
                    f"\0frame {part.second:.6f} {part.image.shape}\0".encode() + part.image.tobytes()
                )
            else:
                text = part.encode("utf-8", "surrogatepass")
                digest.update(f"\0text {len(text)}\0".encode() + text)
        return self._folder / f"{digest.hexdigest()[:40]}.json"

    def _keep(self, path: Path | None, content: dict[str, Any]) -> None:
        if path is None or self._folder is None:
            return
        try:
            write_json(path, {"version": VERSION, **content})
        except (InputError, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._folder = None
        self._notes += (f"what the model replies is not cached: {error}",)


def _read(path: Path | None) -> dict[str, Any]:
    """What was written; an empty object if it can't be used, as then the model is asked again."""
    if path is None or not path.is_file():
        return {}
    try:
        content = read_json(path)
    except InputError:
        return {}
    return content if isinstance(content, dict) and content.get("version") == VERSION else {}


def _choice(content: dict[str, Any], letters: int) -> Choice | None:
    probabilities, letter, notes = (content.get(key) for key in ("probabilities", "letter", "notes"))
    if not _is_texts(notes):
        return None
    if probabilities is not None:
        numbers = isinstance(probabilities, list) and all(type(p) in (int, float) for p in probabilities)
        if (
            not numbers
            or len(probabilities) != letters
            or not math.isclose(sum(probabilities), 1, abs_tol=1e-3)
        ):
            return None
    if letter is not None and not (type(letter) is int and 0 <= letter < letters):
        return None
    return Choice(
        None if probabilities is None else tuple(map(float, probabilities)), letter, tuple(notes or ())
    )


def _reply(content: dict[str, Any]) -> Reply | None:
    text, whole, notes = (content.get(key) for key in ("text", "whole", "notes"))
    if not isinstance(text, str) or not isinstance(whole, bool) or not _is_texts(notes):
        return None
    return Reply(text, whole, tuple(notes or ()))


def _is_texts(notes: Any) -> bool:
    return isinstance(notes, list) and all(isinstance(note, str) for note in notes)
