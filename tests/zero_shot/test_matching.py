"""Matching: cosines of words and labels, colours in boxes, what is said."""

from __future__ import annotations

import numpy as np
import pytest

from samples.zero_shot import Axes, matcher, regions, view
from stage.types import Box, Sentence
from stage.zero_shot.colours import DIM, NAMES, PARTS
from stage.zero_shot.lexicon import Lexicon
from stage.zero_shot.words import Word, words_of

LEFT, RIGHT = (0.0, 0.0, 40.0, 100.0), (60.0, 0.0, 100.0, 100.0)


def coloured(part: str, *names: str) -> np.ndarray:
    """The vectors of regions, each all of one colour in a part."""
    vectors = np.zeros((len(names), len(PARTS), len(NAMES)), np.float32)
    for i, name in enumerate(names):
        vectors[i, list(PARTS).index(part), NAMES.index(name)] = 1
    return vectors.reshape(len(names), DIM)


def test_a_label_names_a_word_from_the_threshold_on_and_counts_as_much_as_it_is_alike() -> None:
    seen = view(regions(("cup", 0.5, LEFT)), regions(("dog", 1.0, LEFT)), regions())
    found = matcher(seen, {"mug": ("cup", 0.8), "plate": ("cup", 0.5)})
    np.testing.assert_allclose(found.seen(words_of("mug")), [[0.4, 0, 0]], atol=1e-6)
    assert not found.seen(words_of("plate")).any()


def test_the_mean_of_both_cosines_counts() -> None:
    class TwoSenses:
        def sentences(self, texts: list[str]) -> np.ndarray:
            return np.float32([(1, 0) if text == "a photo of a club" else (0, 1) for text in texts])

    assert Lexicon(TwoSenses()).likeness(["club"])(["bat"]).tolist() == [[0.5]]


def test_a_phrase_is_its_label_and_worse_labels_are_none() -> None:
    seen = view(regions(("baseball bat", 0.9, LEFT), ("baseball glove", 0.8, RIGHT)))
    word = words_of("a baseball bat")[1]
    assert matcher(seen).boxes(word, 0) == (Box(*LEFT, "bat", pytest.approx(0.9)),)


def test_words_for_people_are_the_label_person_and_no_other() -> None:
    seen = view(regions(("person", 0.7, LEFT), ("doll", 0.9, RIGHT)))
    found = matcher(seen, {"boy": ("doll", 0.9)})
    assert [box.corners for box in found.boxes(words_of("boy")[0], 0)] == [LEFT]


def test_what_people_wear_is_in_a_part_of_them() -> None:
    (box,) = matcher(view(regions(("person", 0.7, LEFT)))).boxes(words_of("hat")[0], 0)
    assert box.corners == (0, 0, 40, 20)


def test_what_people_wear_is_where_its_own_label_is_if_there_is_one() -> None:
    seen = view(regions(("person", 0.7, LEFT), ("tie", 0.5, RIGHT)))
    assert [box.corners for box in matcher(seen).boxes(words_of("tie")[0], 0)] == [RIGHT]


def test_the_colour_of_a_shirt_is_read_in_the_upper_part_of_people() -> None:
    seen = view(regions(("person", 0.5, LEFT), colours=coloured("upper", "red")), regions())
    found = matcher(seen).colours(words_of("shirt")[0])
    assert found is not None
    assert found[0, NAMES.index("red")] == 1
    assert not found[1].any()


def test_a_side_takes_the_outermost_region_alone() -> None:
    both = regions(("person", 0.5, LEFT), ("person", 0.5, RIGHT), colours=coloured("upper", "red", "blue"))
    found = matcher(view(both))
    for side, colour in (("left", "red"), ("right", "blue")):
        shares = found.colours(words_of("shirt")[0], side)
        assert shares is not None
        assert shares[0, NAMES.index(colour)] == 1


def test_what_no_label_names_has_the_colours_of_the_frame() -> None:
    frame = np.eye(len(NAMES), dtype=np.float32)[None, NAMES.index("green")]
    seen = view(regions(("person", 0.5, LEFT)), frame_colours=frame)
    assert matcher(seen).colours(words_of("meadow")[0]) is frame


def test_without_pixels_nothing_has_a_colour() -> None:
    assert matcher(view(regions())).colours(words_of("shirt")[0]) is None


def test_what_is_said_counts_near_its_time() -> None:
    sentence = Sentence(2.0, 3.0, "the cup broke")
    found = matcher(view(regions(), regions(), regions(), sentences=(sentence,)))
    said = found.said(["cup", "dog"])
    assert said[0].tolist() == pytest.approx([0, 2**-0.5, 0])
    assert not said[1].any()


def test_what_is_seen_everywhere_counts_less_for_a_scene_than_what_is_rare() -> None:
    everywhere = ("person", 0.5, LEFT)
    seen = view(regions(everywhere), regions(everywhere), regions(everywhere, ("dog", 0.5, RIGHT)))
    scenes = matcher(seen).scenes(["person", "dog"])
    assert scenes[1, 2] > scenes[0, 2]
    assert scenes[0, 0] == pytest.approx(1)


def test_phrases_are_found_by_an_open_vocabulary_detector() -> None:
    box = Box(1, 2, 3, 4, "hat", 0.4)
    seen = view(regions(), regions())
    asked = []

    def find(phrases: list[str]) -> dict[str, dict[int, tuple[Box, ...]]]:
        asked.append(phrases)
        return {phrase: {1: (box,) if phrase == "hat" else ()} for phrase in phrases}

    object.__setattr__(seen, "find", find)
    found = matcher(seen)
    np.testing.assert_allclose(found.seen([Word("Hat", ("hat", "party hat"))]), [[0.4, 0]])
    assert found.boxes(Word("Hat", ("hat",)), 0) == (Box(1, 2, 3, 4, "Hat", 0.4),)
    assert asked[0] == ["hat", "party hat"]


def test_nothing_seen_and_nothing_said_is_no_evidence() -> None:
    found = matcher(view(regions()))
    assert not found.seen(words_of("a dog")).any()
    assert not found.scenes(["a dog"]).any()
    assert not found.said(["a dog"]).any()
    assert found.pictures(["a dog"]) is None
    assert found.visible(words_of("a dog")) == ()


def test_texts_are_encoded_once() -> None:
    class Counted(Axes):
        texts = 0

        def sentences(self, texts):  # type: ignore[no-untyped-def]
            self.texts += len(texts)
            return super().sentences(texts)

    encoder = Counted()
    lexicon = Lexicon(encoder)
    lexicon.cosines(["dog", "cat"], ["dog"])
    lexicon.cosines(["dog"], ["cat", "cow"])
    assert encoder.texts == 3
