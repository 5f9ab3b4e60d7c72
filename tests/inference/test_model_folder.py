"""Model folders are read and written whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samples.data_folder import random_run
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.inference.model_folder import load_model, save_model
from stage.inference.score import evaluate_model
from stage.training.loop import train


@pytest.mark.slow
def test_a_model_folder_without_a_kind_is_stage(random_data: Path, tmp_path: Path) -> None:
    train(random_run(random_data, tmp_path), progress=False)
    config = tmp_path / "model" / "config.json"
    said = config.read_text()
    assert '"kind":"stage",' in said.replace(" ", "").replace("\n", "")
    config.write_text(said.replace('"kind": "stage",', ""))
    assert load_model(tmp_path / "model").model.config.kind == "stage"
    config.write_text(said.replace('"kind": "stage"', '"kind": "quiz"'))
    with pytest.raises(InputError, match="no such kind of model"):
        load_model(tmp_path / "model")


def test_a_saved_model_scores_as_before(sitcom_data: Path, sitcom_model: Path, tmp_path: Path) -> None:
    model = load_model(sitcom_model)
    assert model.projections.regions is not None
    assert model.projections.words is not None
    assert model.model.config.region_dim == 12
    questions = open_questions(sitcom_data, model.limits)
    first = evaluate_model(model, questions)
    save_model(model, tmp_path / "copy")
    again = evaluate_model(load_model(tmp_path / "copy"), open_questions(sitcom_data, model.limits))
    assert first.qa_accuracy == again.qa_accuracy
    assert first.temporal_miou == again.temporal_miou


def test_a_model_accepts_features_of_its_encoder_by_any_name(sitcom_model: Path) -> None:
    model = load_model(sitcom_model)
    old, moved, other = (
        model.features.model_copy(update={"text": name})
        for name in ("bert@0123456789ab", "/new/bert@0123456789ab", "/new/bert@ba9876543210")
    )
    regions = model.projections.regions
    assert regions is not None
    given = FeatureAttributes(moved.text, model.model.config.text_dim, old.regions, regions.mean.size)
    replace(model, features=old).check_features(given, "store")
    with pytest.raises(InputError, match="store: has features of /new/bert@0123456789ab, but the model"):
        replace(model, features=other).check_features(given, "store")


def test_regions_that_are_words_are_whitened_as_words(
    sitcom_data: Path, sitcom_model: Path, tmp_path: Path
) -> None:
    questions = open_questions(sitcom_data, Limits())
    questions.fit_projections(None, whiten=True, regions_are_words=True, seed=0)
    assert questions.projections.regions is questions.projections.words is not None
    apart = open_questions(sitcom_data, Limits())
    apart.fit_projections(None, whiten=True, regions_are_words=False, seed=0)
    assert apart.region_dim == questions.source.attributes.region_dim
    model = replace(load_model(sitcom_model), projections=questions.projections)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model").projections
    assert again.regions is not None
    assert np.array_equal(again.regions.components, questions.projections.regions.components)
    seen = np.concatenate([r.features for i in range(3) for r in apart.example(i).regions])
    assert seen.std(0).max() < 5 * np.median(seen.std(0))


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("weights.safetensors", lambda whole: whole[:1000], "not a model of this version"),
        ("weights.safetensors", lambda whole: b"", "not a model of this version"),
        ("weights.safetensors", lambda whole: whole[:-400] + b"\xff" * 400, "are not finite"),
        ("config.json", lambda whole: b"{", "config.json, whole file"),
        ("config.json", lambda whole: b"\xff\xfe", "not a model of this version"),
        ("config.json", lambda whole: whole.replace(b'"format": 2', b'"format": 9'), "format"),
        ("config.json", lambda whole: whole.replace(b'"hidden": 16', b'"hidden": 24'), "size mismatch"),
    ],
)
def test_a_damaged_model_is_refused(
    random_model: Path, tmp_path: Path, file: str, damage: Callable[[bytes], bytes], reason: str
) -> None:
    shutil.copytree(random_model, tmp_path / "m")
    damaged = tmp_path / "m" / file
    damaged.write_bytes(damage(damaged.read_bytes()))
    with pytest.raises(InputError, match=reason):
        load_model(tmp_path / "m")


def test_a_model_replaces_a_model_and_nothing_else(random_model: Path, tmp_path: Path) -> None:
    model = load_model(random_model)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match="exists and is no model"):
            save_model(model, place)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        save_model(model, tmp_path / "empty")
