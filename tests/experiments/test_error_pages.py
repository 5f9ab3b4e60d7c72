"""Evidence pages that contradict the predictions are named."""

from __future__ import annotations

from samples.answers import PREDICTIONS, QUESTIONS, prediction
from stage.annotation.predictions import tabulate_predictions
from stage.annotation.vocabulary import build_vocabulary
from stage.experiments.error_analysis import analyse_answers
from stage.experiments.error_pages import differences
from stage.types import Clip, Evidence


def test_a_page_with_another_answer_or_cause_is_named() -> None:
    case = analyse_answers(tabulate_predictions(PREDICTIONS, build_vocabulary(QUESTIONS)), QUESTIONS)[0]

    def notes(answer: int, span: tuple[float, float]) -> list[str]:
        shown = Evidence(Clip("clip", 60), case.question, prediction(1, answer, span), (), ())
        return differences([case], {1: (shown, {})})

    assert notes(0, (4.0, 8.0)) == notes(0, (4.0, 6.0)) == []
    assert "says 'The hat .'; are the predictions this model's?" in notes(1, (4.0, 8.0))[0]
    assert "says 4.0 to 8.0 s, the model says 6.5 to 8.0 s" in notes(0, (6.5, 8.0))[0]
