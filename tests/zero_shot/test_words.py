"""Words of questions and answers: phrases, colours, numbers, sides."""

from __future__ import annotations

from stage.zero_shot.words import (
    asks_colour,
    asks_count,
    colours_of,
    number_in,
    own_words,
    side_in,
    words_of,
)


def test_a_word_that_ends_a_phrase_is_looked_for_alone_and_with_the_word_before() -> None:
    found = {word.text: word.forms for word in words_of("a baseball bat on the Table")}
    assert found == {"baseball": ("baseball",), "bat": ("bat", "baseball bat"), "Table": ("table",)}


def test_a_colour_belongs_to_the_word_after_it() -> None:
    (man, shirt) = words_of("the man in the orange shirt")
    assert (man.colour, shirt.colour, shirt.forms, shirt.part) == (None, "orange", ("shirt",), "upper")


def test_own_words_are_those_that_neither_question_nor_all_other_candidates_have() -> None:
    candidates = [words_of(text) for text in ("A red boat .", "A big boat .", "The man 's boat .")]
    own = own_words(candidates, words_of("Where is the man ?"))
    assert [[word.text for word in words] for words in own] == [[], ["big"], []]


def test_colours_and_numbers_are_read_from_answers() -> None:
    assert colours_of("Blue and gray .") == ("blue", "grey")
    assert [number_in(text) for text in ("Four .", "12 people", "No one", "A dog .", "²")] == [
        4,
        12,
        1,
        None,
        None,
    ]


def test_questions_for_colours_and_counts_are_recognised() -> None:
    assert asks_colour("What colour is the bus ?")
    assert not asks_colour("What is red ?")
    assert asks_count("How many men are there ?")
    assert not asks_count("How is he ?")


def test_a_side_is_read_unless_there_are_two() -> None:
    texts = ("the woman on the left", "left or right", "the woman")
    assert [side_in(text) for text in texts] == ["left", None, None]


def test_text_of_any_script_has_words() -> None:
    assert [word.text for word in words_of("Où est le garçon 男の人 ?")] == [
        "Où",
        "est",
        "le",
        "garçon",
        "男の人",
    ]
