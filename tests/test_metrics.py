"""Scores by hand on a few questions, and the authors' scorer's on all of TVQA+ val."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from golden import SHARED
from stage.annotation.predictions import (
    join_tables,
    read_predictions,
    tabulate_predictions,
    write_predictions,
)
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.vocabulary import build_vocabulary, read_vocabulary, vocabulary_of, write_vocabulary
from stage.commands.evaluate import evaluate as evaluate_command
from stage.errors import InputError
from stage.metrics import Scores, evaluate, print_scores, proposal_recall
from stage.metrics.answers import question_type, span_iou
from stage.metrics.grounding import average_precision, voc_iou
from stage.types import Box, Prediction, Question, Regions, WordBoxes

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


def test_the_type_of_a_question_is_its_first_word_in_any_case() -> None:
    asked = ["What is it ?", "WHO ?", "where now", "Why", "how come ?", "When ?", "Whatever it is", ""]
    expected = ["what", "who", "where", "why", "how", "other", "other", "other"]
    assert [question_type(text) for text in asked] == expected


def test_the_iou_of_spans_takes_the_whole_time_from_first_start_to_last_end() -> None:
    predicted = np.array([[0.0, 10], [0, 10], [0, 10], [5, 5], [2, 4]])
    true = np.array([[5.0, 15], [20, 30], [0, 10], [5, 5], [0, 8]])
    assert span_iou(predicted, true).tolist() == pytest.approx([5 / 15, 0, 1, 0, 2 / 8])


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


def test_voc_iou_counts_pixels_twice_over() -> None:
    a = np.array([[0, 0, 9, 9]], np.float32)
    b = np.array([[0, 5, 9, 14]], np.float32)
    # 11 pixels a side instead of 10; rows 5 to 10 are shared: 6 of 11.
    assert voc_iou(a, b).tolist() == pytest.approx([66 / (121 + 121 - 66)])
    assert voc_iou(a, a).tolist() == [1.0]
    assert voc_iou(a, a + 50).tolist() == [0.0]


def test_average_precision_is_the_area_below_the_monotone_curve() -> None:
    # Precision at the hits: 1, 2/4, 3/5; the second one is lifted to 3/5 by the third.
    assert average_precision(np.array([1, 0, 0, 1, 1], bool), 4) == pytest.approx((1 + 0.6 + 0.6) / 4)
    assert average_precision(np.zeros(3, bool), 2) == 0.0
    assert average_precision(np.zeros(0, bool), 2) == 0.0


def grounding(*found: WordBoxes, known: Question | None = None) -> Scores:
    return evaluate([prediction(1, 1, (0, 1), *found)], [known or question(1)])


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


def test_labels_outside_the_vocabulary_are_left_out() -> None:
    known = question(1, boxes={7: (MIA, replace(MIA, label="unheard"))})
    made = [prediction(1, 0, (0, 1), boxes("mia", (MIA, 0.9)))]
    assert list(evaluate(made, [known], {"mia": 3}).per_class) == ["mia"]
    assert list(evaluate(made, [known]).per_class) == ["mia", "unheard"]


def test_a_word_that_is_there_twice_in_a_hypothesis_is_scored_with_both_boxes() -> None:
    mia = grounding(boxes("mia", (shift(MIA, 200), 0.9)), boxes("Mia", (MIA, 0.6))).per_class["mia"]
    assert (mia.ap, mia.n_tp, mia.n_fp) == (0.5, 1, 1)


def test_detections_of_all_images_are_ranked_together() -> None:
    questions = [question(1), question(2)]
    made = [
        prediction(2, 0, (0, 1), boxes("mia", (shift(MIA, 300), 0.8))),
        prediction(1, 0, (0, 1), boxes("mia", (MIA, 0.5), (shift(MIA, 300), 0.4))),
    ]
    assert evaluate(made, questions).grounding_map == pytest.approx(0.5 / 2)


def test_what_the_truth_does_not_tell_is_not_scored_and_said() -> None:
    known = [question(1, answer_index=None, span=None, boxes={})]
    scores = evaluate([prediction(1, 0, (10, 20), boxes("mia", (MIA, 0.9)))], known)
    assert (scores.qa_accuracy, scores.grounding_map) == (None, None)
    assert (scores.temporal_miou, scores.answer_span_accuracy, scores.recall[0.5]) == (None, None, None)
    notes = " / ".join(scores.notes)
    assert "no right answer" in notes
    assert "no time span" in notes
    assert "no Grd. mAP" in notes
    assert json.loads(json.dumps(scores.to_json(), allow_nan=False))["grounding_map"] is None


def test_questions_with_less_truth_are_left_out_of_the_scores_that_take_it() -> None:
    made = [prediction(1, 0, (10, 20)), prediction(2, 1, (10, 20))]
    scores = evaluate(made, [question(1, span=None), question(2)])
    assert scores.qa_accuracy == 0.5
    assert scores.temporal_miou == 1.0
    assert scores.answer_span_accuracy == 0.0
    assert "1 of 2 questions have no time span" in " ".join(scores.notes)


def test_predictions_without_any_looked_for_word_have_no_grounding_score() -> None:
    assert grounding().grounding_map is None
    assert "the predictions hold no boxes" in " ".join(grounding().notes)
    assert grounding(boxes("mia")).grounding_map == 0.0


def test_no_predictions_give_no_scores() -> None:
    scores = evaluate([], [question(1)])
    assert (scores.question_count, scores.qa_accuracy, scores.grounding_map) == (0, None, None)


def test_questions_without_a_prediction_do_not_count_and_are_said() -> None:
    scores = evaluate(
        [prediction(2, 0, (10, 20), boxes("mia", (MIA, 0.9)))], [question(q) for q in (1, 2, 3)]
    )
    assert (scores.question_count, scores.qa_accuracy) == (1, 1.0)
    assert scores.per_class["mia"].n_positives == 1
    assert any("2 of 3 questions of the annotation have no prediction" in note for note in scores.notes)


def test_predictions_that_do_not_fit_the_annotation_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"5 of 5 predicted questions are not in the annotation \(2, 3, 4, ...\)"
    ):
        evaluate([prediction(q, 0, (0, 1)) for q in range(2, 7)], [question(1)])
    with pytest.raises(InputError, match="question 1 has more than one prediction"):
        evaluate([prediction(1, 0, (0, 1))] * 2, [question(1)])
    with pytest.raises(InputError, match="question 1: the predicted answer is 2 but there are 2 answers"):
        evaluate([prediction(1, 2, (0, 1))], [question(1, answers=("yes", "no"))])


def random_predictions(questions: list[Question]) -> list[Prediction]:
    """Boxes near the true ones and elsewhere, scores with many equals."""
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


def test_scores_from_memory_are_those_from_the_file(tmp_path: Path) -> None:
    questions = many_questions()
    made, vocabulary = random_predictions(questions), build_vocabulary(questions)
    write_predictions(tmp_path / "out.json.gz", made, vocabulary)
    from_file = evaluate(read_predictions(tmp_path / "out.json.gz"), questions, vocabulary)
    assert from_file == evaluate(made, questions, vocabulary) == evaluate(made, questions)
    assert from_file.grounding_map is not None
    assert 0.1 < from_file.grounding_map < 0.9


def naive_hits(found: list[Box], true: list[Box]) -> list[bool]:
    """The rule of the scorer, one detection after the other."""
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


def test_counts_agree_with_one_detection_after_the_other() -> None:
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


def shared(name: str) -> Path:
    path = SHARED / "tvqa_plus" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


def equals_are_in_the_order_of_the_reference() -> bool:
    features = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    return any(features.get(name, False) for name in ("X86_V4", "AVX512_SKX"))


def test_scores_of_a_real_prediction_file_are_those_of_the_authors_scorer() -> None:
    scores = evaluate(
        read_predictions(shared("predictions_noisy.json.gz")),
        read_questions(shared("tvqa_plus_val.json")),
        read_vocabulary(shared("word2idx.json")),
    )
    theirs = json.loads(shared("metrics_noisy.json").read_text())
    assert scores.qa_accuracy == pytest.approx(theirs["qa_acc"], abs=1e-9)
    assert scores.temporal_miou == pytest.approx(theirs["miou"], abs=1e-9)
    assert scores.answer_span_accuracy == pytest.approx(theirs["ans_span_joint_acc@.5"], abs=1e-9)
    for threshold, share in scores.recall.items():
        assert share == pytest.approx(theirs[f"R@{threshold:.2f}"], abs=1e-9)
    classes = theirs["metrics_per_class"]
    ours = {word: (c.n_positives, c.n_tp, c.n_fp) for word, c in scores.per_class.items()}
    assert ours == {word: (c["n_positives"], c["n_tp"], c["n_fp"]) for word, c in classes.items()}
    exact = equals_are_in_the_order_of_the_reference()
    for word, score in scores.per_class.items():
        assert score.ap == pytest.approx(classes[word]["ap"], abs=1e-9 if exact else 5e-3), word
    assert scores.grounding_map == pytest.approx(theirs["overall_map"], abs=1e-9 if exact else 1e-4)


def test_the_shares_of_question_types_are_those_of_the_paper() -> None:
    questions = read_questions(shared("tvqa_plus_val.json"))
    made = [Prediction(q.qid, q.clip, 0, (1.0,) * 5, ((0.0, 1.0),) * 5) for q in questions]
    shares = {
        name: round(100 * s.share, 2) for name, s in evaluate(made, questions).per_question_type.items()
    }
    del shares["other"]
    assert shares == {"what": 60.52, "who": 10.24, "where": 9.68, "why": 9.55, "how": 9.05}


def test_json_has_the_scores_and_nothing_else() -> None:
    made = grounding(boxes("mia", (MIA, 0.9))).to_json()
    assert list(made) == [
        "qa_accuracy", "temporal_miou", "answer_span_accuracy", "grounding_map",
        "recall", "per_question_type", "per_class",
    ]  # fmt: skip
    assert made["per_class"] == {"mia": {"ap": 1.0, "n_positives": 1, "n_tp": 1, "n_fp": 0}}
    assert list(made["recall"]) == [f"0.{i}" for i in range(1, 10)]
    assert set(made["per_question_type"]["what"]) == {
        "count", "share", "qa_accuracy", "temporal_miou", "answer_span_accuracy"
    }  # fmt: skip


def test_the_command_prints_tables_within_80_columns_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    questions = many_questions()
    vocabulary = build_vocabulary(questions)
    write_questions(tmp_path / "val.json", questions)
    write_vocabulary(tmp_path / "word2idx.json", vocabulary)
    write_predictions(tmp_path / "out.json", random_predictions(questions)[:-1], vocabulary)
    evaluate_command(tmp_path / "out.json", tmp_path / "val.json", out=tmp_path / "scores.json")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for text in (
        "29 questions",
        "QA Acc.",
        "where",
        "weakest 4 of 4 words",
        "d'onofrio",
        "1 of 30 questions",
    ):
        assert text in shown
    assert json.loads((tmp_path / "scores.json").read_text())["per_question_type"]["what"]["count"] == 29


def test_missing_scores_are_shown_as_a_dash() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_scores(evaluate([], [question(1)]), console)
    assert "│       - │" in console.export_text()


def test_proposal_recall_is_the_share_of_true_boxes_that_a_region_holds() -> None:
    known = question(1, boxes={7: (MIA, shift(MIA, 300)), 13: (MIA,), 600: (MIA,)})
    good = np.array([[0, 0, 99, 99]], np.float32)
    bad = np.array([[200, 200, 210, 210]] * 20 + [[0, 0, 99, 99]], np.float32)

    def regions(of: np.ndarray) -> Regions:
        return Regions(of, np.ones(len(of), np.float32), np.zeros((len(of), 1), np.float32))

    seen = {"clip1": {7: regions(good), 13: regions(bad)}}
    assert proposal_recall([known], lambda clip: seen[clip]) == pytest.approx(1 / 3)
    assert proposal_recall([known], lambda clip: seen[clip], count=21) == pytest.approx(2 / 3)
    assert np.isnan(proposal_recall([question(1, boxes={})], lambda clip: seen[clip]))


def test_a_box_turned_inside_out_overlaps_nothing() -> None:
    inside_out = np.array([[10, 10, 8, 8], [10, 10, 3, 30], [50, 50, 10, 10]], np.float32)
    true = np.array([[10, 10, 8, 8], [0, 0, 40, 40], [5, 5, 60, 60]], np.float32)
    assert voc_iou(inside_out, true).tolist() == [0.0, 0.0, 0.0]


def test_predictions_without_their_vocabulary_are_refused(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json", [], {})
    with pytest.raises(InputError, match=r"no word2idx\.json beside it; give it with --vocabulary"):
        vocabulary_of(tmp_path / "out.json")
    write_vocabulary(tmp_path / "words.json", {"mug": 1})
    assert vocabulary_of(tmp_path / "out.json", tmp_path / "words.json") == {"mug": 1}


def test_tables_of_parts_are_joined_to_that_of_all() -> None:
    questions = many_questions()
    predictions, words = random_predictions(questions), build_vocabulary(questions)
    parts = [predictions[:5], [replace(p, grounding=()) for p in predictions[5:6]], predictions[6:]]
    joined = join_tables([tabulate_predictions(part, words) for part in parts])
    assert len(joined.qid) == len(predictions)
    expected = [*parts[0], *parts[1], *parts[2]]
    assert evaluate(joined, questions, words) == evaluate(expected, questions, words)
    assert join_tables([tabulate_predictions(parts[1], words)]).boxes is None
