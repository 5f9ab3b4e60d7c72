"""Predicted boxes in other units than the true ones, or in another order, get no score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from samples.places import tvqa_plus_file
from samples.predictions import boxes, grounding, prediction, question, shift
from stage.annotation.predictions import PredictionTable, read_predictions
from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import read_vocabulary
from stage.errors import InputError
from stage.metrics import evaluate
from stage.types import Box, Question

Corners = npt.NDArray[np.float64]
FRAME = np.array([640, 360, 640, 360], np.float64)

Loaded = tuple[PredictionTable, list[Question], dict[str, int]]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The predictions for the first 40 questions of TVQA+ val."""
    table = read_predictions(tvqa_plus_file("predictions_noisy.json.gz"))
    questions = read_questions(tvqa_plus_file("tvqa_plus_val.json"))[:40]
    known = [q.qid for q in questions]
    kept, found = np.isin(table.qid, known), table.boxes
    assert found is not None
    of = np.isin(found.qid, known)
    some = type(found)(*(getattr(found, name)[of] for name in type(found).__slots__))
    table = PredictionTable("out.json", table.qid[kept], table.answer[kept], table.span[kept], some)
    return table, questions, dict(read_vocabulary(tvqa_plus_file("word2idx.json")))


def changed(table: PredictionTable, change: Callable[[Corners], Corners]) -> PredictionTable:
    assert table.boxes is not None
    return replace(table, boxes=replace(table.boxes, corners=change(table.boxes.corners)))


def relabelled(
    questions: list[Question], change: Callable[[float, float, float, float], tuple[float, ...]]
) -> list[Question]:
    def of(box: Box) -> Box:
        left, top, right, bottom = change(*box.corners)
        return replace(box, left=left, top=top, right=right, bottom=bottom)

    return [replace(q, boxes={f: tuple(map(of, found)) for f, found in q.boxes.items()}) for q in questions]


def test_boxes_in_pixels_are_scored_without_a_note(loaded: Loaded) -> None:
    scores = evaluate(*loaded)
    assert scores.notes == ()
    assert scores.grounding_map is not None
    assert scores.grounding_map > 0.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c / FRAME, "fractions of the frame"),
        (lambda c: c / FRAME * 1000, "other units than the annotation's, by a factor of 0.6.* horizontally"),
        (lambda c: c * 3, "other units than the annotation's"),
        (lambda c: np.c_[c[:, :2], c[:, 2:] - c[:, :2]], "not left, top, width, height"),
        (lambda c: np.c_[(c[:, :2] + c[:, 2:]) / 2, c[:, 2:] - c[:, :2]], "boxes end left of or above"),
    ],
)
def test_predicted_boxes_in_other_units_are_refused(
    loaded: Loaded, change: Callable[[Corners], Corners], message: str
) -> None:
    table, questions, words = loaded
    with pytest.raises(InputError, match=rf"out\.json: .*{message}"):
        evaluate(changed(table, change), questions, words)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, b, c, d: (a / 640, b / 360, c / 640, d / 360), "fractions of the frame"),
        (lambda a, b, c, d: (a / 0.64, b / 0.36, c / 0.64, d / 0.36), "other units than the annotation's"),
        (lambda a, b, c, d: (a, b, a + c, b + d), "hold the right and bottom edges"),
    ],
)
def test_true_boxes_in_other_units_are_refused(
    loaded: Loaded, change: Callable[[float, float, float, float], tuple[float, ...]], message: str
) -> None:
    table, questions, words = loaded
    with pytest.raises(InputError, match=message):
        evaluate(table, relabelled(questions, change), words)


def test_true_and_predicted_boxes_in_0_to_1_are_refused_though_they_would_score(loaded: Loaded) -> None:
    table, questions, words = loaded
    scaled = relabelled(questions, lambda a, b, c, d: (a / 640, b / 360, c / 640, d / 360))
    with pytest.raises(InputError, match="fractions of the frame"):
        evaluate(changed(table, lambda c: c / FRAME), scaled, words)


def test_small_boxes_in_other_sizes_are_noted_where_that_is_not_certain() -> None:
    spots = [Box(40.0 * i, 30.0, 40.0 * i + 35, 60, "Mia") for i in range(12)]
    known = [question(n, boxes={7: (spot,)}) for n, spot in enumerate(spots)]
    halved = [Box(*(side / 2 for side in spot.corners)) for spot in spots]
    made = [prediction(n, 0, (10, 20), boxes("mia", (box, 0.9))) for n, box in enumerate(halved)]
    elsewhere = boxes(
        "mia", (Box(0, 0, 600, 300), 0.1), frame=13
    )  # the predicted frame is as large as the true one
    made[0] = replace(made[0], grounding=(*made[0].grounding, elsewhere))
    (note,) = evaluate(made, known).notes
    assert "boxes may be in other units" in note
    assert "by a factor of 2 horizontally and 2 vertically" in note


def test_wrong_boxes_of_a_weak_system_are_scored_without_a_note() -> None:
    rng = np.random.default_rng(1)
    known, made = [], []
    for n in range(60):
        left, top, width, height = rng.uniform((0, 0, 40, 40), (400, 200, 240, 160))
        true = Box(left, top, left + width, top + height, "Mia")
        known.append(question(n, boxes={7: (true,)}))
        made.append(
            prediction(n, 0, (10, 20), boxes("mia", (Box(0, 0, 200, 200), 0.9), (shift(true, 300), 0.2)))
        )
    scores = evaluate(made, known)
    assert scores.notes == ()
    assert scores.grounding_map is not None


def test_boxes_that_are_always_in_a_corner_or_too_small_are_scored() -> None:
    rng = np.random.default_rng(2)
    known, corner, small = [], [], []
    for n in range(80):
        left, top = rng.uniform((0, 0), (300, 160))
        true = Box(left + 40, top, left + 300, top + 200, "Mia")
        known.append(question(n, boxes={7: (true,)}))
        corner.append(prediction(n, 0, (10, 20), boxes("mia", (Box(0, 0, 120, 100), 0.9))))
        part = Box(left + 120, top + 50, left + 180, top + 100)
        small.append(prediction(n, 0, (10, 20), boxes("mia", (part, 0.9))))
    assert evaluate(small, known).notes == ()
    assert evaluate(corner, known).grounding_map == 0.0


def test_a_few_predicted_boxes_without_a_size_are_noted() -> None:
    spots = [(Box(10.0 * i, 10, 10.0 * i + 90, 90), 0.5) for i in range(10)]
    scores = grounding(boxes("mia", *spots, (Box(300, 10, 90, 90), 0.4)))
    assert any("1 of 11 predicted boxes end" in note for note in scores.notes)
