"""Annotation files made to break their readers: each is refused in one short line, or read."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from samples.annotation import RAW
from samples.refusals import refused
from stage.annotation.checking import check_annotation
from stage.annotation.clips import MAX_FRAME_COUNT, read_frame_counts, read_subtitles
from stage.annotation.predictions import read_predictions
from stage.annotation.questions import read_questions
from stage.annotation.statistics import draw_statistics, statistics
from stage.annotation.vocabulary import read_vocabulary
from stage.errors import LONGEST_MESSAGE, InputError

NESTED, MANY_DIGITS, LONG = "[" * 100_000 + "]" * 100_000, "9" * 5000, json.dumps("x" * 100_000)
JUST_NESTED = "[" * 900 + "]" * 900
"""Little enough for the parser of JSON."""
HALF = '"mug \\ud83d"'
VALUES = [
    NESTED,
    JUST_NESTED,
    MANY_DIGITS,
    f'"{MANY_DIGITS}"',
    "1" + "0" * 400,
    "1" + "0" * 22,
    "1e999",
    HALF,
]
VALUES += [LONG, "[-1e308, 1e308]", "[0, 1e300]", f'{{"1{"0" * 22}": []}}', f'{{"1": {JUST_NESTED}}}']


def question_with(key: str, value: str) -> str:
    """A question as JSON, with another value, given as JSON, at a key."""
    return json.dumps({**RAW, key: "@"}).replace('"@"', value)


def check_has_no_errors(path: Path) -> None:
    """Raises InputError if it has."""
    if errors := check_annotation(path, clips={})[1].errors:
        raise InputError(str(errors))


@pytest.mark.parametrize("key", ["qid", "vid_name", "q", "a1", "answer_idx", "ts", "bbox"])
def test_any_value_of_a_question_is_read_or_refused_in_a_short_line(key: str, tmp_path: Path) -> None:
    for value in VALUES:
        entry = question_with(key, value)
        for name, content in (("q.json", f"[{entry}]"), ("q.jsonl", f"{entry}\n")):
            (tmp_path / name).write_text(content)
            message = refused(partial(read_questions, tmp_path / name))
            if message is None:
                assert value in (LONG, f'"{MANY_DIGITS}"')
                assert key in ("vid_name", "q", "a1")
                continue
            assert len(message) <= LONGEST_MESSAGE
            assert "\n" not in message
            assert refused(partial(check_has_no_errors, tmp_path / name)) is not None


@pytest.mark.parametrize(
    ("value", "reason"), [(NESTED, "recursion"), (MANY_DIGITS, "digits"), (HALF, "half a")]
)
def test_lines_of_json_are_parsed_as_carefully_as_files(value: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(f"{json.dumps(RAW)}\n{value}\n")
    with pytest.raises(InputError, match=rf"q\.jsonl, line 2: .*{reason}"):
        read_questions(tmp_path / "q.jsonl")


def test_times_that_no_film_has_are_refused_with_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "subtitles.json"
    for time in ("1" + "0" * 400, "1e300", "-1e9", "NaN"):
        path.write_text(f'{{"one": {{"sub_text": "a", "sub_time": [{time}]}}}}')
        with pytest.raises(InputError, match=r"one: .*(too large|seconds below 1,000,000,000)"):
            read_subtitles(path)
    path.write_text('{"ts_answer": {"1": [[0, 1e300], 0]}}')
    with pytest.raises(InputError, match="seconds below 1,000,000,000"):
        read_predictions(path)
    path.write_text(
        '{"one": {"sub_text": "a", "sub_time": [86400000]}}'
    )  # milliseconds, which the check reports
    assert read_subtitles(path)["one"][0].start == 86_400_000


def test_a_film_longer_than_any_is_refused_with_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "frames.json"
    path.write_text(json.dumps({"one": MAX_FRAME_COUNT}))
    assert read_frame_counts(path) == {"one": MAX_FRAME_COUNT}
    for count in (MAX_FRAME_COUNT + 1, 10**12, 10**400):
        path.write_text(json.dumps({"one": count}))
        with pytest.raises(InputError, match=rf"clip one: .* may have {MAX_FRAME_COUNT:,} frames \(24 hours"):
            read_frame_counts(path)


def test_other_files_are_read_or_refused_in_a_short_line(tmp_path: Path) -> None:
    box = '{"qid": 1, "img_idx": 1, "word": 1, "pred": [1], "bbox": [[1, 2, 3, 4]]}'
    places = ["@", '{"one": @}', '{"one": {"sub_text": @, "sub_time": [1]}}', '{"ts_answer": {"1": @}}']
    places += [box.replace(old, "@") for old in ('"img_idx": 1', '"word": 1')]
    places += [
        f'{{"ts_answer": {{"1": [[1, 2], 0]}}, "raw_bbox": [{{"0": [{box.replace(old, new)}]}}]}}'
        for old, new in (('d": 1', 'd": @'), ("x: 1", "x: @"), ("[1]", "@"), ("[[1, 2, 3, 4]]", "[@]"))
    ]
    for place in places:
        for value in VALUES:
            (tmp_path / "f.json").write_text(place.replace("@", value))
            for read in (read_subtitles, read_frame_counts, read_predictions, read_vocabulary):
                assert len(refused(partial(read, tmp_path / "f.json")) or "") <= LONGEST_MESSAGE


def test_spans_of_any_length_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(f"[{question_with('ts', '[-999999999, 999999999]')}]")
    for drawn in draw_statistics(statistics(read_questions(path)), tmp_path):
        assert drawn.stat().st_size


def test_a_question_without_a_single_word_is_refused(tmp_path: Path) -> None:
    empty = {**RAW, "q": " ", "a0": "", "a1": "", "bbox": {}}
    (tmp_path / "q.json").write_text(json.dumps([empty]))
    with pytest.raises(InputError, match="question 1234: the question and all its answers are empty"):
        read_questions(tmp_path / "q.json")
    (tmp_path / "q.json").write_text(json.dumps([{**empty, "q": "What ?"}, {**empty, "qid": 2, "a1": "a"}]))
    assert len(read_questions(tmp_path / "q.json")) == 2
