"""The words of a data set, and the file that lists them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.annotation import QUESTION
from samples.places import tvqa_plus_file
from stage.annotation.predictions import write_predictions
from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import (
    build_vocabulary,
    object_vocabulary,
    read_vocabulary,
    vocabulary_of,
    write_vocabulary,
)
from stage.errors import InputError
from stage.types import Box, Question


def test_the_vocabulary_contains_folded_words_of_questions_answers_and_labels(tmp_path: Path) -> None:
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


def test_two_words_with_one_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "word2idx.json"
    write_vocabulary(
        path, {"<unk>": 0, "Mia": 3, "mia": 3, "Zo\u00eb": 4, "Zoe\u0308": 4}
    )  # spellings of one word
    assert read_vocabulary(path)["mia"] == 3
    write_vocabulary(path, {"<unk>": 0, "mia": 3, "leo": 3})
    with pytest.raises(InputError, match="'mia' and 'leo' have one id, 3"):
        read_vocabulary(path)


def test_words_with_boxes_are_those_that_the_release_gives_boxes() -> None:
    ours = object_vocabulary(read_questions(tvqa_plus_file("tvqa_plus_val.json")))
    assert set(ours) <= set(json.loads(tvqa_plus_file("eval_object_vocab.json").read_text()))


def test_predictions_without_their_vocabulary_are_refused(tmp_path: Path) -> None:
    write_predictions(tmp_path / "out.json", [], {})
    with pytest.raises(InputError, match=r"no word2idx\.json next to it; give one with --vocabulary"):
        vocabulary_of(tmp_path / "out.json")
    write_vocabulary(tmp_path / "words.json", {"mug": 1})
    assert vocabulary_of(tmp_path / "out.json", tmp_path / "words.json") == {"mug": 1}
