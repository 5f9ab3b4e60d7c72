"""What a model replied is kept for the same prompt alone: an interrupted run resumes where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samples.chat import Asked, ScriptedModel
from stage.errors import InputError
from stage.inference.answerer import Setup
from stage.vlm.answerer import VlmAnswerer
from stage.vlm.chat import Choice, Frame, Reply
from stage.vlm.reply_cache import CachedModel

PICTURE = np.zeros((4, 4, 3), np.uint8)
PROMPT = ["What is it?", Frame(PICTURE, 1.0)]


def model() -> ScriptedModel:
    return ScriptedModel(
        lambda parts, letters: Choice((0.75, 0.25), notes=("a note",)),
        lambda parts: Reply("A mug.", whole=False),
    )


def test_what_was_asked_before_is_not_asked_again(tmp_path: Path) -> None:
    scripted = model()
    first, again = CachedModel(scripted, tmp_path), CachedModel(scripted, tmp_path)
    assert first.choose(PROMPT, "AB") == again.choose(PROMPT, "AB") == Choice((0.75, 0.25), notes=("a note",))
    assert first.write(PROMPT, 9) == again.write(PROMPT, 9) == Reply("A mug.", whole=False)
    assert (first.asked, again.asked, len(scripted.prompts)) == (2, 0, 2)


def test_a_letter_without_probabilities_is_kept_as_it_is(tmp_path: Path) -> None:
    scripted = ScriptedModel(lambda parts, letters: Choice(letter=1))
    assert CachedModel(scripted, tmp_path).choose(PROMPT, "AB") == Choice(letter=1)
    assert CachedModel(scripted, tmp_path).choose(PROMPT, "AB") == Choice(letter=1)
    assert len(scripted.prompts) == 1


@pytest.mark.parametrize(
    ("parts", "letters"),
    [
        (["What is it ?", Frame(PICTURE, 1.0)], "AB"),
        (["What is it?", Frame(PICTURE, 1.1)], "AB"),
        (["What is it?", Frame(PICTURE + 1, 1.0)], "AB"),
        (["What is it?", Frame(np.zeros((2, 8, 3), np.uint8), 1.0)], "AB"),
        ([Frame(PICTURE, 1.0), "What is it?"], "AB"),
        (["What is", " it?", Frame(PICTURE, 1.0)], "AB"),
        (PROMPT, "CD"),
    ],
)
def test_another_prompt_is_asked(parts: Asked, letters: str, tmp_path: Path) -> None:
    cached = CachedModel(model(), tmp_path)
    cached.choose(PROMPT, "AB")
    cached.choose(parts, letters)
    assert cached.asked == 2


def test_another_model_is_asked(tmp_path: Path) -> None:
    CachedModel(model(), tmp_path).choose(PROMPT, "AB")
    other = CachedModel(replace(model(), identity="another"), tmp_path)
    other.choose(PROMPT, "AB")
    assert other.asked == 1


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", '{"version": 1}',
        '{"version": 0, "probabilities": [0.9, 0.1], "letter": null, "notes": []}',
        '{"version": 1, "probabilities": [0.9], "letter": null, "notes": []}',
        '{"version": 1, "probabilities": [0.9, 0.9], "letter": null, "notes": []}',
        '{"version": 1, "probabilities": ["a", "b"], "letter": null, "notes": []}',
        '{"version": 1, "probabilities": null, "letter": 7, "notes": []}',
        '{"version": 1, "probabilities": null, "letter": 0, "notes": [1]}',
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_is_not_believed(content: str, tmp_path: Path) -> None:
    cached = CachedModel(model(), tmp_path)
    cached.choose(PROMPT, "AB")
    (file,) = tmp_path.rglob("*.json")
    file.write_text(content)
    assert cached.choose(PROMPT, "AB").probabilities == (0.75, 0.25)
    assert cached.asked == 2


def test_a_folder_that_cant_be_written_is_noted_and_the_model_asked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cached = CachedModel(model(), tmp_path / "file")
    assert cached.choose(PROMPT, "AB").probabilities == (0.75, 0.25)
    assert cached.choose(PROMPT, "AB").probabilities == (0.75, 0.25)
    assert len(cached.notes) == 1
    assert "not cached" in cached.notes[0]


def test_an_interrupted_question_goes_on_where_it_was(spoken_film: Path, tmp_path: Path) -> None:
    left = 3

    def chooses(parts: Asked, letters: Sequence[str]) -> Choice:
        nonlocal left
        if not left:
            raise InputError("the server is down")
        left -= 1
        return Choice((0.9, *[0.1 / (len(letters) - 1)] * (len(letters) - 1)))

    scripted = ScriptedModel(chooses)
    film = VlmAnswerer(scripted, Setup()).open(spoken_film, cache=tmp_path)
    with pytest.raises(InputError, match="server is down"):
        film.ask("What is it ?", ["a hat", "a mug"])
    asked, left = len(scripted.prompts), 99
    film.ask("What is it ?", ["a hat", "a mug"])
    # Four windows and two orders of the options; the one that failed is asked twice.
    assert (asked, len(scripted.prompts)) == (4, 7)
