"""Answers from curves: spans at cuts, candidates' own words, colours, counts, ties, no evidence at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samples.zero_shot import matcher, question, regions, view
from stage.types import Sentence
from stage.zero_shot.answering import CLUES, Reading, read
from stage.zero_shot.colours import DIM, NAMES, PARTS
from stage.zero_shot.evidence import make_evidence, make_prediction, softmax
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.windows import Windows

BOX = (10.0, 10.0, 30.0, 50.0)
PARAMETERS = Parameters()


def windows_of(found: Matcher) -> Windows:
    seen = found.view
    return Windows.of(seen.times, seen.edges, seen.cuts, 30, 30)


def asked(found: Matcher, text: str, *answers: str) -> Reading:
    return read(question(text, *answers), found, windows_of(found), PARAMETERS)


def clue(reading: Reading, name: str) -> list[float]:
    return [float(value) for value in reading.clues[:, CLUES.index(name)]]


def test_the_span_is_the_shot_in_which_the_words_of_the_question_are_seen() -> None:
    dog, car = regions(("dog", 0.8, BOX)), regions(("car", 0.8, BOX))
    found = matcher(view(car, car, dog, dog, cuts=(3.5,)))
    windows = windows_of(found)
    reading = asked(found, "Where is the dog ?", "At home .", "Outside .")
    assert [(windows.start[i], windows.end[i]) for i in reading.chosen] == [(3.5, 8.0)] * 2


def test_the_candidate_whose_own_word_is_seen_in_the_span_is_the_answer() -> None:
    found = matcher(view(regions(("cake", 0.6, BOX), ("person", 0.5, BOX))))
    reading = asked(found, "What is before the man ?", "A pizza .", "A cake .", "A vase .")
    assert clue(reading, "seen") == pytest.approx([0, 0.6, 0])
    prediction = make_prediction(question("q", "a", "b", "c"), reading, windows_of(found), PARAMETERS)
    assert prediction.answer_index == 1
    assert sum(prediction.probabilities) == pytest.approx(1)


def test_what_is_said_speaks_for_a_candidate() -> None:
    sentence = Sentence(0.0, 2.0, "the pizza")
    found = matcher(view(regions(), sentences=(sentence,)))
    said = clue(asked(found, "What is it ?", "A pizza .", "A cake ."), "said")
    assert said[0] > said[1]


@pytest.mark.parametrize(("frames", "near"), [(20, True), (40, False)])
def test_what_is_said_within_a_minute_of_the_span_speaks_for_a_candidate(frames: int, near: bool) -> None:
    dog, nothing = regions(("dog", 0.8, BOX)), regions()
    at_the_end = Sentence(
        2.0 * frames - 3, 2.0 * frames, "pizza"
    )  # of 40 or 80 s, and the dog is at the beginning
    found = matcher(view(dog, *[nothing] * (frames - 1), sentences=(at_the_end,)))
    text = question("What does the dog eat ?", "A pizza .", "A cake .")
    reading = read(text, found, windows_of(found), replace(PARAMETERS, span_said=0.0))
    # "pizza" is one of the four words of question and answer
    assert clue(reading, "around") == pytest.approx([0.5 if near else 0, 0])


def test_similarity_with_the_question_counts_where_nothing_is_said() -> None:
    silent = matcher(view(regions()))
    spoken = matcher(view(regions(), sentences=(Sentence(0, 1, "hello"),)))
    for found, likely in ((silent, [0.5, 0]), (spoken, [0, 0])):
        reading = asked(found, "Which red dog ?", "The red cat .", "The cow .")
        assert [value > 0 for value in clue(reading, "text")] == [value > 0 for value in likely]


def test_the_colour_of_what_is_worn_speaks_for_a_candidate() -> None:
    vectors = np.zeros((1, len(PARTS), len(NAMES)), np.float32)
    vectors[0, list(PARTS).index("upper"), NAMES.index("white")] = 0.95
    frame = np.full((1, len(NAMES)), 0.0, np.float32)
    seen = regions(("person", 0.5, BOX), colours=vectors.reshape(1, DIM))
    found = matcher(view(seen, frame_colours=frame))
    pixels = clue(asked(found, "What color is the shirt of the boy ?", "Red .", "White ."), "pixels")
    assert pixels == pytest.approx([0, 0.95])  # 0.95 / (0.95 + 0 + 0.05)


def test_the_largest_and_the_smallest_are_told_by_their_boxes() -> None:
    """A car of 40 x 40 pixels, a dog of 20 x 20 and no horse."""
    seen = regions(("car", 0.5, (0, 0, 40, 40)), ("dog", 0.5, (50, 0, 70, 20)))
    found = matcher(view(seen, seen))
    answers = ("A car .", "A dog .", "A horse .")
    assert clue(asked(found, "What is the largest thing ?", *answers), "pixels") == pytest.approx([1, 0.5, 0])
    assert clue(asked(found, "What is the smallest thing ?", *answers), "pixels") == pytest.approx(
        [0.5, 1, 0]
    )


def test_counts_are_those_of_most_frames() -> None:
    two, three = regions(*[("person", 0.5, BOX)] * 2), regions(*[("person", 0.5, BOX)] * 3)
    found = matcher(view(two, two, three))
    pixels = clue(asked(found, "How many men are there ?", "Two .", "Three .", "A lot ."), "pixels")
    assert pixels == pytest.approx([0.5, 0.25, 0])  # half as sure: the boxes score 0.5


def test_what_speaks_for_no_candidate_leaves_all_equally_likely() -> None:
    found = matcher(view(regions(), regions()))
    reading = asked(found, "Why ?", "It rains .", "It rains hard and .")
    flat = replace(PARAMETERS, answer_text=0.0)
    assert make_prediction(question("q", "a", "b"), reading, windows_of(found), flat).probabilities == (
        0.5,
        0.5,
    )


def test_a_film_of_one_frame_is_answered_with_all_of_it() -> None:
    found = matcher(view(regions(("dog", 0.9, BOX))))
    text = question("What is it ?", "A dog .", "A cat .")
    evidence = make_evidence(
        text, asked(found, text.text, *text.answers), found, windows_of(found), PARAMETERS, ()
    )
    assert evidence.prediction.span == (0.0, 2.0)
    assert [m.in_span for m in evidence.moments] == [True]


def test_evidence_has_boxes_for_words_as_they_were_typed_and_probabilities_that_sum_to_one() -> None:
    dog, car = regions(("dog", 0.8, BOX)), regions(("car", 0.8, BOX))
    found = matcher(view(dog, car, cuts=(1.5,), sentences=(Sentence(0, 1, "My dog barks"),)))
    text = question("Where is the Dog ?", "Here .", "There .")
    evidence = make_evidence(
        text, asked(found, text.text, *text.answers), found, windows_of(found), PARAMETERS, ("n",)
    )
    first, second = evidence.moments
    assert evidence.concepts == ("Dog",)
    assert [(w.word, [b.corners for b in w.boxes]) for w in first.grounding] == [("Dog", [BOX])]
    assert second.grounding == ()
    assert sum(m.start_probability for m in evidence.moments) == pytest.approx(1)
    assert sum(m.end_probability for m in evidence.moments) == pytest.approx(1)
    (attended,) = first.sentences
    assert attended.weights == (0.0, 1.0, 0.0)
    assert evidence.notes == ("n", "nothing was recognised as 'Here'")


def test_softmax_is_that_of_large_numbers_too() -> None:
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])


def test_words_of_another_script_and_answers_that_share_all_words_are_answered() -> None:
    found = matcher(view(regions(("dog", 0.5, BOX)), regions()))
    for answers in (("犬", "猫"), ("the dog ran", "ran the dog")):
        probabilities = softmax(asked(found, "何 が 見える ?", *answers).logits(PARAMETERS))
        assert np.isfinite(probabilities).all()
