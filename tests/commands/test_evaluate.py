"""`stage evaluate` prints scores and writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.predictions import boxes, many_questions, prediction, question, random_predictions
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
        "29 of 30 questions, in %",
        "QA Acc.",
        "where",
        "weakest 4 of 4 words",
        "d'onofrio",
        "1 of 30 questions",
    ):
        assert text in shown
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["per_question_type"]["what"]["count"] == 29
    counts = ("scored_questions", "all_questions", "missing_counted_as_wrong")
    assert [written[name] for name in counts] == [29, 30, 0]
    evaluate_command(
        tmp_path / "out.json", tmp_path / "val.json", out=tmp_path / "all.json", all_questions=True
    )
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "30 questions (1 without a prediction counts as wrong), in %" in shown
    assert "aren't scored" not in shown
    written = json.loads((tmp_path / "all.json").read_text())
    assert [written[name] for name in counts] == [30, 30, 1]


def test_predictions_without_boxes_have_no_grounding_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_questions(tmp_path / "val.json", [question(1)])
    write_vocabulary(tmp_path / "word2idx.json", build_vocabulary([question(1)]))
    write_predictions(
        tmp_path / "out.json", [prediction(1, 0, (10, 20), boxes("mia"))], build_vocabulary([question(1)])
    )
    evaluate_command(tmp_path / "out.json", tmp_path / "val.json", out=tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["grounding_map"] is None
    assert "the predictions contain no boxes" in capsys.readouterr().out
