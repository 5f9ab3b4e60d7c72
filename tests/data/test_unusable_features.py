"""Features that are missing or aren't finite are errors wherever questions are trained on or answered."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore


@pytest.fixture
def data(random_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_data, tmp_path / "data"))


def read_all(data: Path) -> None:
    questions = open_questions(data, Limits())
    for i in range(len(questions)):
        questions.example(i)


def fit(questions: QuestionSet, *, whiten: bool) -> None:
    questions.fit_projections(3, whiten=whiten, regions_are_words=False, seed=0)


def test_a_question_whose_frames_are_missing_names_them_and_the_command(data: Path) -> None:
    read_all(data)
    questions = open_questions(data, Limits())
    clip = questions.questions[0].clip
    frames = questions.frames_of(questions.questions[0])
    store = FeatureStore.open(data / "features")
    kept = {frame: found for frame, found in store.clip(clip).items() if frame not in frames[-2:]}
    store.put_clip(clip, kept)
    with pytest.raises(
        InputError, match=rf"frames {frames[-2]}, {frames[-1]} of clip {clip}.*`stage features all {data}"
    ):
        read_all(data)
    fit(open_questions(data, Limits()), whiten=False)  # reads what there is
    store.put_clip(clip, {**kept, **{frame: store.clip(clip)[frames[0]] for frame in frames[-2:]}})
    read_all(data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_named_and_never_fitted(data: Path, value: float) -> None:
    """In files of earlier versions, and in those that were damaged."""
    clips = sorted((data / "features" / "clips").iterdir())
    for path in clips:
        arrays = load_file(path)
        arrays["features"][-1, -1] = value
        save_file(arrays, path, {"labels": "[]"})
    with pytest.raises(
        InputError, match=r"clips/.*\.safetensors: features of frame \d+ contain NaN or infinities"
    ):
        read_all(data)
    for whiten in (False, True):
        with pytest.raises(InputError, match=r"features of frame \d+ contain NaN or infinities"):
            fit(open_questions(data, Limits()), whiten=whiten)


def test_word_vectors_that_are_not_finite_are_named(data: Path) -> None:
    for path in (data / "features" / "texts").iterdir():
        arrays = load_file(path)
        arrays["vectors"][:] = np.nan
        from safetensors import safe_open

        with safe_open(path, "np") as file:
            metadata = {name: text for name, text in file.metadata().items() if name in ("keys", "lengths")}
        save_file(arrays, path, metadata)
    with pytest.raises(
        InputError, match=r"texts/.*\.safetensors: word vectors of '.*' contain NaN or infinities"
    ):
        read_all(data)
