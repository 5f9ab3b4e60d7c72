"""Taggers: the packaged one and token classifiers."""

from __future__ import annotations

import gzip
import importlib.util
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from samples.collecting import QUESTION, tagger_folder
from stage.collecting.nouns import nouns_of
from stage.collecting.tagging import load_tagger, read_pickled_numbers
from stage.errors import InputError


def test_the_packaged_tagger_finds_people_and_things() -> None:
    if importlib.util.find_spec("HanTa") is None:
        pytest.skip("HanTa is not installed")
    question = replace(
        QUESTION,
        text="Where did Sheldon put the keys when Penny was opening the fridge door ?",
        answers=("On Leonard 's old desk .", "x"),
        answer_index=0,
    )
    found = nouns_of(question, load_tagger())
    assert found == ["Sheldon", "keys", "Penny", "fridge", "door", "Leonard", "desk"]


def test_a_missing_tagger_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install HanTa, or give a model of transformers with --tagger"):
        load_tagger()


class Intruder:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit",))


def test_a_tagger_model_that_would_run_code_is_refused(tmp_path: Path) -> None:
    numbers = {"a": np.float64(0.5), "b": (1, "x")}
    with gzip.open(tmp_path / "model.pgz", "wb") as file:
        pickle.dump(numbers, file)
    assert read_pickled_numbers(tmp_path / "model.pgz") == numbers
    with gzip.open(tmp_path / "model.pgz", "wb") as file:
        pickle.dump([Intruder()], file)
    with pytest.raises(
        InputError, match=r"model\.pgz: is not the tagger's model \(it refers to builtins\.exec\)"
    ):
        read_pickled_numbers(tmp_path / "model.pgz")


@pytest.mark.parametrize("labels", [("PROPN", "VERB"), ("NNP", "VBZ"), ("B-NOUN", "O")])
def test_a_token_classifier_of_transformers_is_a_tagger(tmp_path: Path, labels: Sequence[str]) -> None:
    tagger = load_tagger(str(tagger_folder(tmp_path / "tagger", ["mia", "gui"], labels)))
    # A word has the tag of its first piece: ##tar is not tagged as a noun.
    assert tagger.nouns(["mia", "plays", "guitar", "?"]) == [True, False, True, False]
    assert tagger.nouns([]) == []


@pytest.mark.parametrize("part", ["classifier", "word_embeddings"])
def test_a_token_classifier_that_lacks_weights_is_refused(tmp_path: Path, part: str) -> None:
    folder = tagger_folder(tmp_path / "tagger", ["mia"], ("NOUN", "VERB"))
    weights = {k: v for k, v in load_file(folder / "model.safetensors").items() if part not in k}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=rf"tagger: the weights are not those of a Bert.* missing \(.*{part}"
    ):
        load_tagger(str(folder))


def test_a_token_classifier_in_half_precision_is_a_tagger(tmp_path: Path) -> None:
    folder = tagger_folder(tmp_path / "tagger", ["mia"], ("NOUN", "VERB"))
    weights = {key: value.bfloat16() for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_tagger(str(folder)).nouns(["mia", "plays"]) == [True, False]


def test_a_token_classifier_that_knows_no_nouns_is_refused(tmp_path: Path) -> None:
    folder = tagger_folder(tmp_path / "tagger", [], ("PER", "LOC"))
    with pytest.raises(InputError, match=r"has the tags PER, LOC\.\.; a tagger must have NOUN"):
        load_tagger(str(folder))
    with pytest.raises(InputError, match="no such tagger"):
        load_tagger(str(tmp_path / "none"))
