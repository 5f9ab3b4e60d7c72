"""Questions and predictions with boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stage.metrics import Scores, evaluate
from stage.types import Box, Prediction, Question, WordBoxes

ANSWERS = ("yes", "no", "maybe")
MIA = Box(0, 0, 99, 99, "Mia")


def question(qid: int, text: str = "What ?", **known: object) -> Question:
    truth = Question(qid, f"clip{qid}", text, ANSWERS, 0, (10.0, 20.0), {7: (MIA,)})
    return replace(truth, **known)  # type: ignore[arg-type]


def prediction(qid: int, answer: int, span: tuple[float, float], *grounding: WordBoxes) -> Prediction:
    spans = tuple(span if k == answer else (0.0, 1.0) for k in range(len(ANSWERS)))
    return Prediction(qid, f"clip{qid}", answer, (1.0, 0.0, 0.0), spans, grounding)


def boxes(word: str, *scored: tuple[Box, float], hypothesis: int = 0, frame: int = 7) -> WordBoxes:
    found = sorted((replace(box, label=word, score=score) for box, score in scored), key=lambda b: -b.score)
    return WordBoxes(hypothesis, frame, word, tuple(found))


def shift(box: Box, by: float) -> Box:
    return replace(box, left=box.left + by, right=box.right + by)


def grounding(*found: WordBoxes, known: Question | None = None) -> Scores:
    return evaluate([prediction(1, 1, (0, 1), *found)], [known or question(1)])


def random_predictions(questions: list[Question]) -> list[Prediction]:
    """Boxes near the true ones and elsewhere, with many tied scores."""
    rng = np.random.default_rng(3)
    made = []
    for asked in questions:
        found = []
        for frame, annotated in asked.boxes.items():
            for k in range(len(asked.answers)):
                for box in annotated:
                    near = [
                        (shift(box, float(rng.integers(0, 60))), round(float(rng.random()), 1))
                        for _ in range(3)
                    ]
                    found.append(boxes(box.label.lower(), *near, hypothesis=k, frame=frame))
        start = float(rng.integers(0, 20))
        answer = int(rng.integers(0, len(asked.answers)))
        made.append(prediction(asked.qid, answer, (start, start + 7.3), *found))
    return made


def many_questions() -> list[Question]:
    labels = ["Mia", "leo", "mug", "D’Onofrio"]
    spots = [shift(Box(0, 0, 120, 90), 150.0 * i) for i in range(4)]
    frames = {
        frame: tuple(replace(spot, label=labels[(i + frame) % 4]) for i, spot in enumerate(spots))
        for frame in (13, 7)
    }
    return [question(qid, boxes=frames) for qid in range(30, 0, -1)]
