"""Scores of answers and spans."""

from __future__ import annotations

import pytest

from samples.places import tvqa_plus_file
from samples.predictions import prediction, question
from stage.annotation.questions import read_questions
from stage.metrics import evaluate
from stage.metrics.answers import question_type
from stage.types import Prediction


def test_the_type_of_a_question_is_its_first_word_in_any_case() -> None:
    asked = ["What is it ?", "WHO ?", "where now", "Why", "how come ?", "When ?", "Whatever it is", ""]
    expected = ["what", "who", "where", "why", "how", "other", "other", "other"]
    assert [question_type(text) for text in asked] == expected


def test_answer_and_span_scores_are_shares_of_the_predicted_questions() -> None:
    questions = [question(1, "What ?"), question(2, "What ?"), question(3, "Who ?"), question(4, "Is it ?")]
    scores = evaluate(
        [
            prediction(1, 0, (10, 20)),  # right, IoU 1
            prediction(2, 1, (10, 20)),  # wrong, IoU 1
            prediction(3, 0, (10, 14)),  # right, IoU 0.4
            prediction(4, 0, (15, 20)),  # right, IoU 0.5
        ],
        questions,
    )
    assert scores.qa_accuracy == 3 / 4
    assert scores.temporal_miou == pytest.approx((1 + 1 + 0.4 + 0.5) / 4)
    assert scores.answer_span_accuracy == 2 / 4
    assert scores.recall[0.4] == 1.0
    assert scores.recall[0.5] == 3 / 4
    assert scores.recall[0.9] == 2 / 4
    what, who, why = (scores.per_question_type[name] for name in ("what", "who", "why"))
    assert (what.count, what.share, what.qa_accuracy, what.answer_span_accuracy) == (2, 0.5, 0.5, 0.5)
    assert (who.qa_accuracy, who.answer_span_accuracy) == (1.0, 0.0)
    assert (why.count, why.qa_accuracy) == (0, None)


def test_the_shares_of_question_types_are_those_of_the_paper() -> None:
    questions = read_questions(tvqa_plus_file("tvqa_plus_val.json"))
    made = [Prediction(q.qid, q.clip, 0, (1.0,) * 5, ((0.0, 1.0),) * 5) for q in questions]
    shares = {
        name: round(100 * s.share, 2) for name, s in evaluate(made, questions).per_question_type.items()
    }
    del shares["other"]
    assert shares == {"what": 60.52, "who": 10.24, "where": 9.68, "why": 9.55, "how": 9.05}
