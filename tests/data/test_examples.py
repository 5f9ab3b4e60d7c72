"""Questions to tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.data.question_set import QuestionSet


def test_a_span_is_known_where_the_answer_is_not(random_data: Path) -> None:
    questions = open_questions(random_data, Limits())
    unanswered = replace(questions.questions[0], answer_index=None)
    asked = [unanswered, *questions.questions[1:3]]
    mixed = QuestionSet("mixed", asked, questions.clips, questions.source, questions.limits)
    both = collate([mixed.example(i) for i in range(3)]).targets
    alone = collate([mixed.example(0)]).targets
    assert both is not None
    assert alone is not None
    assert both.answer.tolist() == [-1, *(q.answer_index for q in asked[1:])]
    assert (alone.start[0], alone.end[0]) == (both.start[0], both.end[0]) != (-1, -1)
    nothing = QuestionSet(
        "nothing", [replace(unanswered, span=None)], questions.clips, questions.source, Limits()
    )
    assert collate([nothing.example(0)]).targets is None
