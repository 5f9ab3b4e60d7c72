"""Words to subtitles: where they are cut, and what they can't contain."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stage.speech.sentences import LONGEST_TEXT, Word, repeated, subtitles


def said(text: str, begin: float = 0.0, each: float = 0.4) -> list[Word]:
    """Words that follow each other without a pause, as Whisper gives them: with the space before them."""
    return [Word(begin + i * each, begin + (i + 1) * each, f" {word}") for i, word in enumerate(text.split())]


def shown(words: list[Word], duration: float = 100.0) -> list[tuple[float, float, str]]:
    return [(round(cue.start, 3), round(cue.end, 3), cue.markup) for cue in subtitles(words, duration)]


def test_sentences_end_at_full_stops_and_marks() -> None:
    assert shown(said("Who is it? It is me! Come in.")) == [
        (0.0, 1.2, "Who is it?"),
        (1.2, 2.4, "It is me!"),
        (2.4, 3.2, "Come in."),
    ]


def test_abbreviations_initials_and_numbers_end_no_sentence() -> None:
    texts = [text for *_, text in shown(said("Dr. Miller met J. Smith. They paid 3.50 each. So do I. Yes."))]
    assert texts == ["Dr. Miller met J. Smith.", "They paid 3.50 each.", "So do I.", "Yes."]


def test_a_sentence_that_goes_on_in_lower_case_is_not_cut() -> None:
    assert shown(said("Wait... what was that?")) == [(0.0, 1.6, "Wait... what was that?")]


def test_a_pause_of_a_second_begins_another_subtitle() -> None:
    words = [*said("I went home", 0.0), *said("and slept", 2.3)]
    assert shown(words) == [(0.0, 1.2, "I went home"), (2.3, 3.1, "and slept")]
    words = [*said("I went home", 0.0), *said("and slept", 2.1)]
    assert shown(words) == [(0.0, 2.9, "I went home and slept")]


def test_a_long_sentence_is_cut_at_the_comma_near_its_middle() -> None:
    text = (
        "When the rain had stopped we went down to the old harbour, and there we saw the ship with red sails"
    )
    assert len(text) > LONGEST_TEXT
    first, second = shown(said(text, each=0.2))
    assert first[2] == "When the rain had stopped we went down to the old harbour,"
    assert second == (2.4, 4.2, "and there we saw the ship with red sails")


def test_a_slow_sentence_is_cut_to_seven_seconds() -> None:
    assert [
        end - start for start, end, _ in shown(said("one two three four five six seven eight", each=1.0))
    ] == [4, 4]


def test_languages_without_spaces_are_cut_at_their_own_full_stop() -> None:
    words = [Word(0, 1, "你好"), Word(1, 2, "吗？"), Word(2, 3, "我很"), Word(3, 4, "好。")]
    assert shown(words) == [(0, 2, "你好吗？"), (2, 4, "我很好。")]


def test_one_word_without_end_is_one_subtitle() -> None:
    assert shown([Word(0, 1, "x" * 500)]) == [(0, 1, "x" * 500)]


def test_what_files_and_terminals_would_obey_is_removed() -> None:
    words = [Word(0, 1, " <b>Hi"), Word(1, 2, " {\\an8}there"), Word(2, 3, " a\x1b[2J\n\n1\r\u2028b.")]
    assert shown(words) == [(0, 3, "b Hi an8 there a [2J 1 b.")]


def test_nothing_is_written_of_signs_alone() -> None:
    assert shown([Word(0, 1, " ..."), Word(5, 6, " ♪♪")]) == []


def test_times_that_go_back_or_leave_the_film_are_put_right() -> None:
    words = [Word(1, 2, " So"), Word(0.5, 1.5, " what?"), Word(9.5, 14, " Yes."), Word(20, 21, " No.")]
    assert shown(words, 10.0) == [(1, 2, "So what?"), (9.5, 10, "Yes.")]


def test_a_subtitle_lasts_a_tenth_of_a_second_at_least() -> None:
    assert shown([Word(1, 1, " Oh!"), Word(1, 3, " Come.")]) == [(1, 1.1, "Oh!"), (1.1, 3, "Come.")]


def test_the_third_copy_in_a_row_is_a_loop() -> None:
    texts = ["Come on!", "come on", "Come on.", "Come on!", "No.", "Come on!"]
    assert repeated(texts) == [False, False, True, True, False, False]
    assert repeated([]) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 40), st.floats(0, 40), st.text(max_size=20)).map(lambda t: Word(*t)),
        max_size=40,
    )
)
def test_subtitles_of_any_words_are_in_order_and_within_the_film(words: list[Word]) -> None:
    cues = subtitles(words, 30.0)
    assert all(0 <= cue.start < cue.end <= 30.0 for cue in cues)
    assert all(a.end <= b.start for a, b in pairwise(cues))
    assert all(len(cue.markup.splitlines()) == 1 and "<" not in cue.markup for cue in cues)
