"""`stage evaluate` prints scores and writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.predictions import many_questions, random_predictions
from stage.annotation.predictions import write_predictions
from stage.annotation.questions import write_questions
from stage.annotation.vocabulary import build_vocabulary, write_vocabulary
from stage.commands.evaluate import evaluate as evaluate_command


def test_the_command_prints_tables_within_80_columns_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    questions = many_questions()
    vocabulary = build_vocabulary(questions)
    write_questions(tmp_path / "val.json", questions)
    write_vocabulary(tmp_path / "word2idx.json", vocabulary)
    write_predictions(tmp_path / "out.json", random_predictions(questions)[:-1], vocabulary)
    evaluate_command(tmp_path / "out.json", tmp_path / "val.json", out=tmp_path / "scores.json")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for text in (
        "29 questions",
        "QA Acc.",
        "where",
        "weakest 4 of 4 words",
        "d'onofrio",
        "1 of 30 questions",
    ):
        assert text in shown
    assert json.loads((tmp_path / "scores.json").read_text())["per_question_type"]["what"]["count"] == 29
