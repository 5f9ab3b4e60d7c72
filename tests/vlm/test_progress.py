"""Who asks a slow model is told how far it is, also within one question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples import chat
from samples.command_line import Run
from stage.commands import progress
from stage.vlm.steps import Steps


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chat.use(monkeypatch)
    for name in ("SECONDS_BETWEEN_LINES", "SHARE_BETWEEN_LINES"):
        monkeypatch.setattr(progress, name, 0)


def test_a_single_question_tells_of_its_prompts(run: Run, short_film: Path, tmp_path: Path) -> None:
    answers = ("--answer", "a hat", "--answer", "a mug")
    done = run("ask", short_film, "--model", "scripted:", "--question", "What is there ?", *answers)
    assert done.code == 0, done
    lines = [line for line in done.err.splitlines() if line.startswith("Asking: ")]
    assert lines[0] == "Asking: 1 of 4 (prompts)"  # two windows, and two orders of the options
    assert lines[-1] == "Asking: 4 of 4 (prompts)"
    assert "Asking" not in done.out


def test_many_questions_tell_of_their_prompts_too(run: Run, short_film: Path, tmp_path: Path) -> None:
    asked = [{"q": f"What is {thing} ?", "a0": "a hat", "a1": "a mug"} for thing in ("red", "blue")]
    (tmp_path / "questions.json").write_text(json.dumps(asked))
    done = run("ask", short_film, "--model", "scripted:", "--questions", tmp_path / "questions.json")
    assert done.code == 0, done
    assert "Asking: 0 of 2 (questions; 1 of 4 prompts)" in done.err
    assert "Asking: 1 of 2 (questions; 4 of 4 prompts)" in done.err
    assert "Asking: 2 of 2 (questions)" in done.err


def test_more_prompts_than_were_expected_never_pass_their_total() -> None:
    told: list[tuple[int, int]] = []
    steps = Steps(lambda done, total, item: told.append((done, total)))
    steps.expect(1)
    for _ in range(2):
        steps.advance()
    steps.expect(3)
    steps.advance()
    assert told == [(1, 1), (2, 2), (3, 4)]
