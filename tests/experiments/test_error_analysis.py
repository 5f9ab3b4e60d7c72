"""Answers are grouped by whether they rest on the right moment and boxes."""

from __future__ import annotations

import json

import pytest

from samples.answers import PREDICTIONS, QUESTIONS, prediction, question
from samples.places import tvqa_plus_file
from stage.annotation.predictions import read_predictions, tabulate_predictions
from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import build_vocabulary
from stage.experiments.error_analysis import (
    Outcome,
    analyse_answers,
    counts_by_link,
    counts_by_type,
    examples,
    link_word,
)


def test_an_answer_and_its_moment_determine_the_outcome() -> None:
    cases = analyse_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)
    assert [(case.question.qid, case.outcome) for case in cases] == [
        (1, Outcome.GROUNDED),
        (2, Outcome.LUCK),
        (3, Outcome.OBJECT),
        (4, Outcome.LOST),
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
    cases = analyse_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)
    counts = counts_by_link(cases)
    assert sum(n for of_link in counts.values() for n in of_link.values()) == len(cases)
    assert all(any(of_link.values()) for of_link in counts.values())


def test_boxes_of_the_right_answer_are_compared_with_the_true_ones() -> None:
    words = build_vocabulary(QUESTIONS)
    table = tabulate_predictions(PREDICTIONS, words)
    assert [case.box_recall for case in analyse_answers(table, QUESTIONS, words)] == [0.5, 0, 0, 0]
    assert {case.box_recall for case in analyse_answers(table, QUESTIONS)} == {None}


def test_examples_are_spread_over_the_questions() -> None:
    questions = [question(n) for n in range(10)]
    table = tabulate_predictions([prediction(n, 0, (4, 8)) for n in range(10)], build_vocabulary(questions))
    cases = analyse_answers(table, questions)
    assert [case.question.qid for case in examples(cases, Outcome.GROUNDED, 3)] == [0, 3, 6]
    assert len(examples(cases, Outcome.GROUNDED, 20)) == 10
    assert examples(cases, Outcome.LOST, 3) == []


def test_right_answers_at_the_right_moment_are_those_that_the_authors_scorer_counts() -> None:
    table = read_predictions(tvqa_plus_file("predictions_noisy.json.gz"))
    cases = analyse_answers(table, read_questions(tvqa_plus_file("tvqa_plus_val.json")))
    scored = json.loads(tvqa_plus_file("metrics_noisy.json").read_text())["ans_span_joint_acc@.5"]
    assert counts_by_type(cases)["all"][Outcome.GROUNDED] / len(cases) == pytest.approx(scored, abs=1e-9)
