"""`stage errors` counts outcomes, shows examples and writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.answers import PREDICTIONS, QUESTIONS, question
from stage.annotation.predictions import read_predictions, write_predictions
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.vocabulary import VOCABULARY_FILE, build_vocabulary, write_vocabulary
from stage.commands.errors import errors
from stage.errors import InputError
from stage.types import Prediction


def test_the_command_counts_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_questions(tmp_path / "questions.json", QUESTIONS)
    write_vocabulary(tmp_path / "words.json", build_vocabulary(QUESTIONS))
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, build_vocabulary(QUESTIONS))
    errors(
        tmp_path / "predictions.json", tmp_path / "questions.json", tmp_path / "words.json", tmp_path / "out"
    )
    shown = capsys.readouterr().out
    assert "wrong answer, right moment, examples:" in shown
    assert "predicted: The hat . (4.0 to 6.0 s)   right: The mug . (4.0 to 8.0 s)" in shown
    written = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert written["counts"]["what"]["right answer, right moment"] == 1
    assert [q["qid"] for q in written["questions"]] == [1, 2, 3, 4]
    assert (written["scored_questions"], written["all_questions"]) == (4, 5)
    assert "4 of 5 questions, in % of each row" in shown
    assert "1 of 5 questions has no right answer or no span" in shown
    assert written["questions"][2]["chosen"] == "The hat ."
    assert written["questions"][2]["chosen"] in written["questions"][2]["answers"]


def test_the_vocabulary_next_to_the_predictions_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_questions(tmp_path / "questions.json", QUESTIONS)
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, build_vocabulary(QUESTIONS))
    errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    assert "box recall" not in capsys.readouterr().out
    write_vocabulary(tmp_path / VOCABULARY_FILE, build_vocabulary(QUESTIONS))
    errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    assert "box recall" in capsys.readouterr().out


def test_missing_predictions_stand_in_the_heading_and_count_as_wrong_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = [question(n) for n in range(1, 11)]
    write_questions(tmp_path / "questions.json", questions)
    write_predictions(tmp_path / "some.json", PREDICTIONS[:4], build_vocabulary(questions))
    files = tmp_path / "some.json", tmp_path / "questions.json"
    errors(*files)
    shown = capsys.readouterr().out
    assert shown.startswith("4 of 10 questions, in % of each row")
    assert "6 of 10 questions have no prediction" in shown
    errors(*files, out=tmp_path / "out", all_questions=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("10 questions (6 without a prediction count as wrong), in % of each row")
    assert "aren't counted" not in shown
    written = json.loads((tmp_path / "out" / "errors.json").read_text())
    counts = [written[name] for name in ("scored_questions", "all_questions", "missing_counted_as_wrong")]
    assert counts == [10, 10, 6]
    assert written["counts"]["all"]["wrong answer, wrong moment"] == 7
    missing = written["questions"][-1]
    assert (missing["chosen"], missing["predicted_span"], missing["iou"]) == (None, None, 0.0)


def test_predictions_that_can_not_be_compared_are_refused(tmp_path: Path) -> None:
    write_questions(tmp_path / "questions.json", [question(1, span=None)])
    write_predictions(tmp_path / "predictions.json", PREDICTIONS[:1], build_vocabulary(QUESTIONS))
    with pytest.raises(InputError, match="a right answer and a span"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    write_questions(tmp_path / "questions.json", QUESTIONS[1:])
    with pytest.raises(InputError, match="not in the annotation"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    with pytest.raises(InputError, match="--out"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json", data=tmp_path)


def test_films_give_evidence_pages(
    sitcom_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = read_questions(sitcom_data / "questions.json")[:2]
    right, wrong = (
        Prediction(q.qid, q.clip, (q.answer_index + k) % 5, (0.2,) * 5, (q.span,) * 5)
        for k, q in enumerate(asked)
        if q.answer_index is not None and q.span is not None
    )
    file = tmp_path / "predictions.json"
    write_predictions(file, [right, wrong], build_vocabulary(asked))
    assert len(read_predictions(file).qid) == 2
    errors(file, sitcom_data / "questions.json", out=tmp_path / "out", data=sitcom_data)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "errors.json",
        "grounded.html",
        "object.html",
    }
    page = (tmp_path / "out" / "object.html").read_text()
    assert asked[1].text.split()[-2] in page
    assert "data:image/jpeg" in page
    assert "evidence page" in capsys.readouterr().out
