"""Right and wrong answers, at the right and at the wrong moment."""

from __future__ import annotations

from stage.types import Box, Prediction, Question, WordBoxes

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
