"""Files of questions, subtitles, vocabularies and predictions, read and written."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import SHARED
from stage.annotation.checking import check_annotation
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.predictions import read_predictions, tabulate_predictions, write_predictions
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.statistics import draw_statistics, rows, statistics
from stage.annotation.vocabulary import build_vocabulary, object_vocabulary, read_vocabulary, write_vocabulary
from stage.errors import InputError
from stage.types import Box, Prediction, Question, Sentence, WordBoxes

RAW_BOX = {"img_id": 7, "label": "Mia", "left": 10, "top": 20, "width": 30, "height": 40}
RAW: dict[str, Any] = {
    "qid": 1234,
    "vid_name": "clip",
    "q": "What is Mia holding ?",
    "a0": "a mug",
    "a1": "a book",
    "answer_idx": "1",
    "ts": [1.5, 4],
    "bbox": {"13": [], "7": [RAW_BOX]},
}
BOXES = {13: (), 7: (Box(10, 20, 40, 60, "Mia"),)}
QUESTION = Question(1234, "clip", "What is Mia holding ?", ("a mug", "a book"), 1, (1.5, 4.0), BOXES)


def shared(name: str) -> Path:
    path = SHARED / "tvqa_plus" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_tvqa_plus_question_is_read_with_its_answer_span_and_boxes(tmp_path: Path) -> None:
    assert read_questions(written(tmp_path / "val.json", [RAW])) == [QUESTION]


def test_annotated_frames_keep_the_order_of_the_file(tmp_path: Path) -> None:
    (question,) = read_questions(written(tmp_path / "val.json", [RAW]))
    assert list(question.boxes) == [13, 7]


def test_the_answer_may_be_a_number_as_in_preprocessed_files_or_absent(tmp_path: Path) -> None:
    without = {k: v for k, v in RAW.items() if k not in {"answer_idx", "ts", "bbox"}} | {"qid": 2}
    preprocessed = RAW | {"answer_idx": 0, "q_len": 5, "a0_len": 2, "a1_len": 2}
    first, second = read_questions(written(tmp_path / "val.json", [preprocessed, without]))
    assert first.answer_index == 0
    assert (second.answer_index, second.span, second.boxes) == (None, None, {})


def test_any_number_of_answers_from_two_on_is_read(tmp_path: Path) -> None:
    seven = RAW | {f"a{i}": f"answer {i}" for i in range(7)} | {"answer_idx": "6"}
    (question,) = read_questions(written(tmp_path / "val.json", [seven]))
    assert question.answers[6] == "answer 6"
    assert question.answer_index == 6


def test_json_lines_of_tvqa_are_read_and_an_unknown_span_is_none(tmp_path: Path) -> None:
    lines = [RAW | {"ts": "12.5-20.25"}, RAW | {"qid": 2, "ts": "nan-nan", "show_name": "Castle"}]
    path = tmp_path / "tvqa.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    known, unknown = read_questions(path)
    assert known.span == (12.5, 20.25)
    assert unknown.span is None


@pytest.mark.parametrize("name", ["val.json", "val.json.gz"])
def test_questions_are_the_same_after_writing_and_reading(tmp_path: Path, name: str) -> None:
    fractions = Question(
        5, "c", "Why ?", ("x", "y", "z"), None, None, {1: (Box(0.1, 0.2, 0.3, 100.7, "D’Onofrio"),)}
    )
    write_questions(tmp_path / name, [QUESTION, fractions])
    assert read_questions(tmp_path / name) == [QUESTION, fractions]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_whole_pixels_are_written_as_whole_numbers(tmp_path: Path) -> None:
    write_questions(tmp_path / "val.json", [QUESTION])
    (raw,) = json.loads((tmp_path / "val.json").read_text())
    assert raw == RAW
    assert type(raw["bbox"]["7"][0]["width"]) is int


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer_idx": 7}, "answer_idx is 7, but there are 2 answers"),
        ({"answer_idx": "x"}, "answer_idx is 'x', which is not a whole number"),
        ({"answer_idx": -1}, "answer_idx is -1, but"),
        ({"q": None}, "q is None, which is not text"),
        ({"a1": 5}, "a1 is 5, which is not text"),
        ({"ts": [3]}, r"ts is \[3\], not a start and an end"),
        ({"ts": 3}, "ts is 3, not a start and an end"),
        ({"ts": [9, 3]}, "not before it starts"),
        ({"bbox": [RAW_BOX]}, "bbox does not map frame numbers"),
        ({"bbox": {"x": []}}, "bbox has a frame 'x'"),
        ({"bbox": {"0": []}}, "bbox has a frame '0'"),
        ({"bbox": {"7": [{"label": "Mia"}]}}, "a box of frame 7 lacks left, top, width, height or label"),
        ({"bbox": {"7": ["Mia"]}}, "a box of frame 7 lacks"),
        ({"bbox": {"7": [RAW_BOX | {"width": -1}]}}, "a box of frame 7 has a negative"),
        ({"bbox": {"7": [RAW_BOX | {"left": float("nan")}]}}, "a box of frame 7 has a negative"),
    ],
)
def test_a_faulty_question_is_named_with_its_fault(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "val.json", [RAW | {"qid": 1}, RAW | change])
    with pytest.raises(InputError, match=rf"val\.json, question 1234: .*{message}"):
        read_questions(path)


@pytest.mark.parametrize("entry", [[1], "text", None, 3])
def test_an_entry_that_is_no_question_is_named_by_its_number(tmp_path: Path, entry: object) -> None:
    with pytest.raises(InputError, match=r"val\.json, question number 2: is not an object"):
        read_questions(written(tmp_path / "val.json", [RAW, entry]))


def test_a_missing_key_and_a_repeated_qid_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="question 1234: vid_name is missing"):
        read_questions(written(tmp_path / "a.json", [{k: v for k, v in RAW.items() if k != "vid_name"}]))
    with pytest.raises(InputError, match="question 1234: has 1 candidate answers"):
        read_questions(written(tmp_path / "b.json", [{k: v for k, v in RAW.items() if k != "a1"}]))
    with pytest.raises(InputError, match="question 1234: is there twice"):
        read_questions(written(tmp_path / "c.json", [RAW, RAW]))


def test_a_file_that_is_absent_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json"):
        read_questions(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"object\.json: holds no list of questions"):
        read_questions(written(tmp_path / "object.json", {"a": 1}))
    (tmp_path / "bad.jsonl").write_text(json.dumps(RAW) + "\n{oops\n")
    with pytest.raises(InputError, match=r"bad\.jsonl, line 2: is not JSON"):
        read_questions(tmp_path / "bad.jsonl")


def test_the_real_annotation_is_read_whole_and_survives_a_round_trip(tmp_path: Path) -> None:
    questions = read_questions(shared("tvqa_plus_val.json"))
    assert len(questions) == 3017
    assert len({q.clip for q in questions}) == 431
    assert sum(len(boxes) for q in questions for boxes in q.boxes.values()) == 32682
    write_questions(tmp_path / "copy.json.gz", questions)
    assert read_questions(tmp_path / "copy.json.gz") == questions


def test_a_sentence_without_an_end_lasts_until_the_next_one_and_the_last_three_seconds(
    tmp_path: Path,
) -> None:
    raw = {"clip": {"sub_text": "Mia : hi <eos> Leo : hey", "sub_time": [1.0, 2.5]}}
    expected = (Sentence(1.0, 2.5, "Mia : hi"), Sentence(2.5, 5.5, "Leo : hey"))
    assert read_subtitles(written(tmp_path / "subtitles.json", raw)) == {"clip": expected}


def test_given_ends_of_sentences_are_kept_and_a_silent_clip_has_none(tmp_path: Path) -> None:
    raw = {
        "clip": {"sub_text": "hi <eos> ho", "sub_time": [1, 4], "sub_end": [2, 6]},
        "silent": {"sub_text": "", "sub_time": []},
    }
    read = read_subtitles(written(tmp_path / "subtitles.json", raw))
    assert read == {"clip": (Sentence(1, 2, "hi"), Sentence(4, 6, "ho")), "silent": ()}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"sub_text": "a <eos> b", "sub_time": [1]}, "2 sentences, but 1 start times"),
        ({"sub_text": "a"}, "sub_time is missing"),
        ({"sub_text": "a", "sub_time": ["x"]}, "could not convert"),
        ({"sub_text": "a", "sub_time": [float("nan")]}, "not a number of seconds"),
        ("text", "can't be read"),
    ],
)
def test_a_clip_with_faulty_subtitles_is_named(tmp_path: Path, record: object, message: str) -> None:
    with pytest.raises(InputError, match=f"clip s01: .*{message}"):
        read_subtitles(written(tmp_path / "subtitles.json", {"s01": record}))


def test_frame_counts_are_whole_numbers_from_one_on(tmp_path: Path) -> None:
    assert read_frame_counts(written(tmp_path / "frames.json", {"clip": 180})) == {"clip": 180}
    for wrong in (0, 1.5, "180", None):
        with pytest.raises(InputError, match="clip s01: has"):
            read_frame_counts(written(tmp_path / "frames.json", {"s01": wrong}))


def test_the_vocabulary_holds_folded_words_of_questions_answers_and_labels(tmp_path: Path) -> None:
    curly = Question(
        1, "c", "Who is Mr . D'Onofrio ?", ("him", "her"), 0, None, {1: (Box(0, 0, 1, 1, "D’Onofrio"),)}
    )
    vocabulary = build_vocabulary([QUESTION, curly])
    assert {"mia", "holding", "mug", "book", "d'onofrio", "him"} <= set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert vocabulary == build_vocabulary([curly, QUESTION])
    write_vocabulary(tmp_path / "word2idx.json", vocabulary)
    assert read_vocabulary(tmp_path / "word2idx.json") == vocabulary
    assert object_vocabulary([QUESTION, curly]) == ["d'onofrio", "mia"]


def test_words_with_boxes_are_those_that_the_release_gives_boxes() -> None:
    ours = object_vocabulary(read_questions(shared("tvqa_plus_val.json")))
    assert set(ours) <= set(json.loads(shared("eval_object_vocab.json").read_text()))


PREDICTION = Prediction(
    1234,
    "clip",
    answer_index=1,
    probabilities=(0.25, 0.75),
    spans=((0.0, 2.0), (1.0, 5.0)),
    grounding=(
        WordBoxes(1, 7, "Mia", (Box(10, 20, 40.5, 60, "Mia", 0.9), Box(0, 0, 5, 5, "Mia", 0.3))),
        WordBoxes(0, 7, "mug", ()),
        WordBoxes(0, 7, "spaceship", (Box(0, 0, 5, 5, "spaceship", 0.4),)),
    ),
)
VOCABULARY = {"mia": 4, "mug": 2}


def test_predictions_are_written_in_the_layout_of_a_submission(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json", [PREDICTION], VOCABULARY)
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "ts_answer": {"1234": [[1.0, 5.0], 1]},
        "raw_bbox": [
            {
                "0": [{"pred": [], "bbox": [], "word": 2, "qid": 1234, "vid_name": "clip", "img_idx": 7}],
                "1": [
                    {
                        "pred": [0.3, 0.9],
                        "bbox": [[0, 0, 5, 5], [10, 20, 40.5, 60]],
                        "word": 4,
                        "qid": 1234,
                        "vid_name": "clip",
                        "img_idx": 7,
                    }
                ],
            }
        ],
    }


def test_a_table_of_predictions_is_the_same_from_memory_and_from_a_file(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json.gz", [PREDICTION], VOCABULARY)
    read = read_predictions(tmp_path / "out.json.gz")
    made = tabulate_predictions([PREDICTION], VOCABULARY)
    assert read.boxes is not None
    assert made.boxes is not None
    for a, b in ((read.qid, made.qid), (read.answer, made.answer), (read.span, made.span)):
        np.testing.assert_array_equal(a, b)
    for column in ("qid", "hypothesis", "frame", "word", "score", "corners"):
        np.testing.assert_array_equal(getattr(read.boxes, column), getattr(made.boxes, column))
    assert read.boxes.corners.tolist() == [[0, 0, 5, 5], [10, 20, 40.5, 60]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred": [0.5, 0.6]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"bbox": [[1, 2, 3]]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"bbox": [[1, 2, 3, None]]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"pred": [float("inf")]}, "question 1: the boxes of word 4 in frame 7 must be"),
        ({"word": "mia"}, "question 1: the boxes of word mia in frame 7"),
        ({"qid": 9}, "raw_bbox has boxes of question 9, which ts_answer doesn't have"),
    ],
)
def test_a_faulty_box_is_named_with_its_question(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    sound = {"pred": [0.5], "bbox": [[1, 2, 3, 4]], "word": 4, "qid": 1, "img_idx": 7}
    content = {"ts_answer": {"1": [[0, 1], 0]}, "raw_bbox": [{"0": [sound, sound | change]}]}
    with pytest.raises(InputError, match=message):
        read_predictions(written(tmp_path / "out.json", content))


@pytest.mark.parametrize(
    "value",
    [[[0, 1]], [[0], 1], 3, [[0, 1], 10**30], [[0, 1], float("inf")], [["a", 1], 0], [[float("nan"), 1], 0]],
)
def test_a_faulty_answer_is_named_with_its_question(tmp_path: Path, value: object) -> None:
    content = {"ts_answer": {"7": [[0, 1], 0], "55": value}, "raw_bbox": []}
    with pytest.raises(InputError, match=r"out\.json, question 55"):
        read_predictions(written(tmp_path / "out.json", content))


def test_a_prediction_file_cut_off_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "out.json.gz"
    path.write_bytes(gzip.compress(b'{"ts_answer": {}}')[:-9])
    with pytest.raises(InputError, match=r"out\.json\.gz"):
        read_predictions(path)
    for content in ([], {"raw_bbox": []}, {"ts_answer": []}):
        with pytest.raises(InputError, match="is not a prediction file"):
            read_predictions(written(tmp_path / "other.json", content))
    with pytest.raises(InputError, match="raw_bbox"):
        read_predictions(written(tmp_path / "third.json", {"ts_answer": {}, "raw_bbox": [3]}))
    entry = {"pred": [], "bbox": [], "qid": 1, "img_idx": 7}
    with pytest.raises(InputError, match="has no word"):
        read_predictions(written(tmp_path / "fourth.json", {"ts_answer": {}, "raw_bbox": [{"0": [entry]}]}))


def test_every_irregularity_is_found_with_question_and_file(tmp_path: Path) -> None:
    wide = RAW_BOX | {"left": 600, "width": 100}
    strange = RAW_BOX | {"label": "submarine"}
    entries = [
        RAW | {"qid": 1, "bbox": {"9": [wide], "12": [], "300": [strange], "15": [RAW_BOX | {"width": 0}]}},
        RAW | {"qid": 1},
        RAW | {"qid": 2, "ts": [9, 3]},
        RAW | {"qid": 3, "a0": "The same .", "a1": "The same ."},
        {k: v for k, v in RAW.items() if k not in {"answer_idx", "ts", "bbox"}} | {"qid": 4},
    ]
    path = written(tmp_path / "val.json", entries)
    questions, findings = check_annotation(path)
    assert [q.qid for q in questions] == [1, 3, 4]
    lines = [f"{kind}: {place}" for kind, places in findings.found.items() for place in places]
    for expected in (
        r"reach past the picture: 'Mia' in frame 9, question 1",
        r"frames without boxes: frame 12, question 1",
        r"outside the span: frame 300 \(100\.00 s, not .*\), question 1",
        r"neither question nor right answer: 'submarine', question 1",
        r"boxes without an area: 'Mia' in frame 15, question 1",
        r"qid of an earlier one: question 1 in .*val\.json, entry 2",
        r"can't be read: .*val\.json, question 2: .*not before it starts",
        r"same answer twice: question 3",
        r"without an answer: question 4",
        r"without a span: question 4",
        r"without boxes: question 4",
    ):
        (line,) = [line for line in lines if re.search(expected, line)]
        assert "val.json" in line


def test_the_real_annotation_has_the_counts_of_the_paper_and_two_plots(tmp_path: Path) -> None:
    found = statistics(read_questions(shared("tvqa_plus_val.json")))
    shown = dict(rows(found))
    assert shown["questions"] == "3,017"
    assert shown["clips"] == "431"
    assert shown["annotated frames"] == "15,309"
    assert shown["boxes"] == "32,682"
    assert shown["boxes a frame"] == "2.13"
    assert shown["span length, mean"] == "7.26 s"
    assert shown["questions with 'what'"] == "1,826 (60.5 %)"
    for path in draw_statistics(found, tmp_path / "plots"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_real_annotation_is_checked_without_a_question_lost() -> None:
    questions, findings = check_annotation(shared("tvqa_plus_val.json"))
    assert len(questions) == 3017
    assert len(findings.found["questions without boxes"]) == 36
    assert len(findings.found["boxes that reach past the picture"]) == 199
    assert "questions that can't be read" not in findings.found


def test_statistics_of_questions_without_truth_have_no_means() -> None:
    shown = dict(rows(statistics([Question(1, "clip", "Why ?", ("x", "y"))])))
    assert (shown["boxes a frame"], shown["span length, mean"]) == ("-", "-")
