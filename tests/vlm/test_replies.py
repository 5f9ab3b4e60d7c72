"""What models print is read: moments and answers; and nothing that they print raises an error."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given

from samples.replies import REPLIES
from stage.vlm.replies import LONGEST_ANSWER, MOST_CHARACTERS, answer_in, moments_in, objects_in


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("From 1.0 seconds to 2.5 seconds.", [(1, 2.5)]),
        ("[1.0, 2.5]", [(1, 2.5)]),
        ("```json\n[[1.0, 2.5], [4, 6]]\n```", [(1, 2.5), (4, 6)]),
        ("00:01.00 - 00:02.50", [(1, 2.5)]),
        ("The event happens in 01:02.50 to 01:05.00.", [(62.5, 65)]),
        ("1.0s - 2.5s", [(1, 2.5)]),
        ("12.3s - 15s", [(12.3, 15)]),
        ("between 3 and 4.5", [(3, 4.5)]),
        ("3 - 4.5", [(3, 4.5)]),
        ('{"start": "3s", "end": 4.5}', [(3, 4.5)]),
        ('[{"start_time": 3, "end_time": "00:04.50"}, {"start_time": 7,', [(3, 4.5)]),
        ("It lasts from 1:00:02 to 1:00:04", [(3602, 3604)]),
    ],
)
def test_a_moment_is_read_however_it_is_written(text: str, spans: list[tuple[float, float]]) -> None:
    moments = moments_in(text, 4000.0)
    assert moments.spans == tuple((pytest.approx(start), pytest.approx(end)) for start, end in spans)
    assert moments.notes == ()


@pytest.mark.parametrize(
    ("text", "spans", "note"),
    [
        ("[5, 2]", [(2, 5)], "before it began"),
        ("[-2, 3]", [(0, 3)], "limited"),
        ("[8, 99]", [(8, 10)], "limited"),
        ("[20, 30]", [], "outside"),
        ("10-12 people are there", [], "no moment"),
        ("", [], "no moment"),
        ("[NaN, 3]", [], "no moment"),
        ('{"start": NaN, "end": 3}', [], "finite"),
        ('{"start": 1e999, "end": 3}', [], "finite"),
        ("[1, 2, 3, 4]", [], "no moment"),
    ],
)
def test_moments_that_cant_be_are_corrected_or_left_out_with_a_note(
    text: str, spans: list[tuple[float, float]], note: str
) -> None:
    moments = moments_in(text, 10.0)
    assert moments.spans == tuple(spans)
    assert note in " ".join(moments.notes)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A red mug.", "A red mug."),
        ("Answer: **a red mug**", "a red mug"),
        ("The answer is a red mug", "a red mug"),
        ("<think>long</think>\n\nA red\tmug\nand more", "A red mug"),
        ("```\nred\n```", "red"),
        ("\x1b[31mred\x00", "[31mred"),
        ("<think>never ended", ""),
        ("...", ""),
        ("A red mug<|im_end|>\n<|im_start|>user\nAnd now?", "A red mug"),
        ("<|im_end|>", ""),
        ("<s>red</s>", "red"),
        ("\ufffd\ufffd", ""),
    ],
)
def test_an_answer_is_one_line_without_what_is_around_it(text: str, answer: str) -> None:
    assert answer_in(text) == answer


def test_a_long_answer_is_cut_between_words() -> None:
    answer = answer_in("word " * 500)
    assert len(answer) <= LONGEST_ANSWER
    assert answer.endswith("word ...")


def test_objects_of_a_list_that_was_cut_off_are_read_and_the_last_is_counted_as_unread() -> None:
    objects, unread = objects_in('[{"a": 1}, {\'b\': 2}, {broken}, {"c": ')
    assert objects == [{"a": 1}, {"b": 2}]
    assert unread == 2


def test_only_the_beginning_of_an_endless_reply_is_read() -> None:
    assert moments_in("x" * MOST_CHARACTERS + "[1, 2]", 10.0).spans == ()


@given(REPLIES)
@example("[" * 100_000)
@example("{" * 100_000)
@example("<think>" * 20_000)
@example("-" * 100_000)
def test_no_reply_raises_an_error(text: str) -> None:
    answer = answer_in(text)
    assert len(answer) <= LONGEST_ANSWER
    assert answer.isprintable()
    for start, end in moments_in(text, 60.0).spans:
        assert 0 <= start <= end <= 60
        assert math.isfinite(end)
