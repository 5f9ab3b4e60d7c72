"""Grounding mAP: IoU, average precision, and which boxes count."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from samples.predictions import MIA, boxes, grounding, prediction, question, shift
from stage.geometry import voc_iou
from stage.metrics import evaluate
from stage.metrics.grounding import average_precision
from stage.types import Box


def test_average_precision_is_the_area_below_the_monotone_curve() -> None:
    # Precision at the hits: 1, 2/4, 3/5; the second one is lifted to 3/5 by the third.
    assert average_precision(np.array([1, 0, 0, 1, 1], bool), 4) == pytest.approx((1 + 0.6 + 0.6) / 4)
    assert average_precision(np.zeros(3, bool), 2) == 0.0
    assert average_precision(np.zeros(0, bool), 2) == 0.0


def test_a_second_detection_of_a_true_box_is_false() -> None:
    mia = grounding(boxes("mia", (shift(MIA, 1), 0.9), (MIA, 0.8), (shift(MIA, 300), 0.7))).per_class["mia"]
    assert (mia.ap, mia.n_positives, mia.n_tp, mia.n_fp) == (1.0, 1, 1, 2)


def test_a_better_scored_false_detection_lowers_the_precision() -> None:
    assert grounding(boxes("mia", (shift(MIA, 300), 0.9), (MIA, 0.8))).grounding_map == 0.5


def test_a_detection_takes_the_true_box_that_it_overlaps_most() -> None:
    near = shift(MIA, 20)
    known = question(1, boxes={7: (MIA, replace(near, label="mia"))})
    found = boxes("mia", (shift(MIA, 19), 0.9), (shift(MIA, 1), 0.8))
    assert grounding(found, known=known).per_class["mia"].n_tp == 2


def test_only_the_right_hypothesis_in_annotated_frames_with_annotated_words_counts() -> None:
    others = [
        boxes("mia", (MIA, 0.9), hypothesis=1),
        boxes("mia", (MIA, 0.9), frame=13),
        boxes("mia", (MIA, 0.9), frame=1),
        boxes("leo", (MIA, 0.9)),
    ]
    scores = grounding(*others)
    assert list(scores.per_class) == ["mia"]
    assert (scores.per_class["mia"].n_tp, scores.per_class["mia"].n_fp) == (0, 0)
    assert scores.grounding_map == 0.0


def test_a_word_annotated_in_another_frame_does_not_count_in_this_one() -> None:
    known = question(1, boxes={7: (MIA,), 13: (replace(MIA, label="leo"),)})
    scores = grounding(boxes("leo", (MIA, 0.9)), boxes("leo", (MIA, 0.5), frame=13), known=known)
    leo = scores.per_class["leo"]
    assert (leo.n_tp, leo.n_fp) == (1, 0)
    assert scores.grounding_map == 0.5


def test_labels_are_compared_in_lower_case_with_straight_apostrophes() -> None:
    known = question(1, boxes={7: (replace(MIA, label="D’Onofrio"),)})
    assert grounding(boxes("d'onofrio", (MIA, 0.9)), known=known).per_class["d'onofrio"].ap == 1.0


def test_labels_outside_the_vocabulary_are_ignored() -> None:
    known = question(1, boxes={7: (MIA, replace(MIA, label="unheard"))})
    made = [prediction(1, 0, (0, 1), boxes("mia", (MIA, 0.9)))]
    assert list(evaluate(made, [known], {"mia": 3}).per_class) == ["mia"]
    assert list(evaluate(made, [known]).per_class) == ["mia", "unheard"]


def test_a_word_that_occurs_twice_in_a_hypothesis_is_scored_with_both_boxes() -> None:
    mia = grounding(boxes("mia", (shift(MIA, 200), 0.9)), boxes("Mia", (MIA, 0.6))).per_class["mia"]
    assert (mia.ap, mia.n_tp, mia.n_fp) == (0.5, 1, 1)


def test_detections_of_all_images_are_ranked_together() -> None:
    questions = [question(1), question(2)]
    made = [
        prediction(2, 0, (0, 1), boxes("mia", (shift(MIA, 300), 0.8))),
        prediction(1, 0, (0, 1), boxes("mia", (MIA, 0.5), (shift(MIA, 300), 0.4))),
    ]
    assert evaluate(made, questions).grounding_map == pytest.approx(0.5 / 2)


def test_equal_scores_are_ranked_by_a_stated_rule() -> None:
    hit, miss = (MIA, 0.5), (shift(MIA, 300), 0.5)
    first = prediction(1, 0, (0, 1), boxes("mia", hit))
    second = prediction(2, 0, (0, 1), boxes("mia", miss))
    questions = [question(1), question(2)]
    # The frame that is later in the annotation is first: one of two true boxes, found at rank 2 or at rank 1.
    assert evaluate([second, first], questions).grounding_map == 0.25
    assert evaluate([first, second], questions).grounding_map == 0.25
    assert evaluate([first, second], questions[::-1]).grounding_map == 0.5
    # Within a frame, the earlier one is.
    of_a_frame = [boxes("mia", hit), boxes("mia", miss)]
    assert grounding(*of_a_frame).grounding_map == 1.0
    assert grounding(*of_a_frame[::-1]).grounding_map == 0.5


SCORED = """
import numpy as np
from samples.predictions import many_questions, random_predictions
from stage.metrics import evaluate

features = np._core._multiarray_umath.__cpu_features__
print([name for name in np._core._multiarray_umath.__cpu_dispatch__ if features.get(name)])
questions = many_questions()
print({word: score.ap for word, score in evaluate(random_predictions(questions), questions).per_class.items()})
"""


@pytest.mark.slow
def test_equal_scores_are_ranked_alike_on_any_processor() -> None:
    """numpy's default sort differs with the instructions that it finds; those of the least processor are the last."""

    def scored(without: str) -> tuple[str, str]:
        place = {"PYTHONPATH": os.pathsep.join(sys.path), "NPY_DISABLE_CPU_FEATURES": without}
        command = [sys.executable, "-W", "ignore", "-c", SCORED]
        done = subprocess.run(
            command, env={**os.environ, **place}, capture_output=True, text=True, check=True
        )
        features, scores = done.stdout.splitlines()
        return features, scores

    found, here = scored("")
    names = ast.literal_eval(found)
    if not names:
        pytest.skip("numpy finds no instructions here that could be left out")
    left, elsewhere = scored(" ".join(names))
    assert left == "[]"
    assert here == elsewhere


def naive_hits(found: list[Box], true: list[Box]) -> list[bool]:
    """The rule of the scorer, as a loop over detections."""
    taken, hits = set(), []
    for box in found:
        ious = [
            voc_iou(np.array([box.corners], np.float32), np.array([t.corners], np.float32)).item()
            for t in true
        ]
        best = max(range(len(true)), key=ious.__getitem__)
        hits.append(ious[best] >= 0.5 and best not in taken)
        if ious[best] >= 0.5:
            taken.add(best)
    return hits


def test_counts_agree_with_a_loop_over_detections() -> None:
    rng = np.random.default_rng(0)
    questions, made, expected = [], [], 0
    for qid in range(60):
        true = [shift(MIA, float(x)) for x in rng.integers(0, 250, int(rng.integers(1, 5)))]
        scores = rng.permutation(8) / 10 + 0.1
        found = [
            (shift(MIA, float(x)), float(s)) for x, s in zip(rng.integers(0, 300, 8), scores, strict=True)
        ]
        questions.append(question(qid, boxes={7: tuple(true)}))
        made.append(prediction(qid, 0, (0, 1), boxes("mia", *found)))
        expected += sum(naive_hits([box for box, _ in sorted(found, key=lambda f: -f[1])], true))
    mia = evaluate(made, questions).per_class["mia"]
    assert (mia.n_tp, mia.n_fp) == (expected, 8 * 60 - expected)
