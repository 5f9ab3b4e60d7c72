"""Model folders are read and written whole."""

from __future__ import annotations

import functools
import json
import operator
import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from samples.data_folder import random_run
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.inference.model_folder import check_replaceable, export_model, load_model, save_model
from stage.inference.score import evaluate_model
from stage.temporary import OLD, temporary_name
from stage.training.loop import train

CONFIG_FIELDS = [
    ("format",), ("stage",), ("stage", "kind"), ("stage", "hidden"), ("stage", "embedding"), ("stage", "streams"),
    ("stage", "text_dim"), ("stage", "region_dim"), ("stage", "input_kernel"), ("stage", "dropout"),
    ("features",), ("features", "text"), ("limits",), ("limits", "regions"), ("concepts",), ("own",),
]  # fmt: skip


@pytest.mark.slow
def test_a_model_folder_without_a_kind_is_stage(random_data: Path, tmp_path: Path) -> None:
    train(random_run(random_data, tmp_path))
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
    projections = questions.fit_projections(None, whiten=True, regions_are_words=True, seed=0)
    assert projections.regions is projections.words is not None
    apart = questions.with_projections(
        questions.fit_projections(None, whiten=True, regions_are_words=False, seed=0)
    )
    assert apart.region_dim == questions.source.attributes.region_dim
    model = replace(load_model(sitcom_model), projections=projections)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model").projections
    assert again.regions is not None
    assert np.array_equal(again.regions.components, projections.regions.components)
    seen = np.concatenate([r.features for i in range(3) for r in apart.example(i).regions])
    assert seen.std(0).max() < 5 * np.median(seen.std(0))


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("weights.safetensors", lambda whole: whole[:1000], "not a model of this version"),
        ("weights.safetensors", lambda whole: b"", "not a model of this version"),
        ("weights.safetensors", lambda whole: whole[:-400] + b"\xff" * 400, "are not finite"),
        ("config.json", lambda whole: b"{", "config.json, whole file"),
        ("config.json", lambda whole: b"[" * 100_000, "not a model of this version"),
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


@given(st.sampled_from(["config.json", "weights.safetensors"]), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_reported_in_one_line(random_model: Path, file: str, data: st.DataObject) -> None:
    """Whatever the bytes: a model that can be used, or an error that names the folder."""
    whole = (random_model / file).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.one_of(st.just(whole[:at]), st.binary(max_size=64), st.binary(max_size=8).map(
            lambda other: whole[:at] + other + whole[at + len(other) :]
        ))
    )  # fmt: skip
    with TemporaryDirectory() as place:
        shutil.copytree(random_model, Path(place) / "m")
        (Path(place) / "m" / file).write_bytes(damaged)
        read(Path(place) / "m")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(CONFIG_FIELDS), ANY_JSON)
@example(("stage", "hidden"), 10**20)
@example(("stage", "embedding"), 10**9)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_in_a_configuration_is_read_or_refused(
    random_model: Path, field: tuple[str, ...], value: object
) -> None:
    """Sizes beyond any memory too: weights are held against them before anything is allocated."""
    config = json.loads((random_model / "config.json").read_text())
    *outer, last = field
    functools.reduce(operator.getitem, outer, config)[last] = value
    with TemporaryDirectory() as place:
        shutil.copytree(random_model, Path(place) / "m")
        (Path(place) / "m" / "config.json").write_text(json.dumps(config))
        read(Path(place) / "m")


def read(folder: Path) -> None:
    try:
        said = f"{load_model(folder).name}: is read"
    except InputError as error:
        said = str(error)
    assert said.startswith(f"{folder}: ")
    assert "\n" not in said


def test_a_folder_with_a_packaged_name_does_not_hide_the_packaged_model(
    random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = load_model("sitcom")
    monkeypatch.chdir(tmp_path)
    for name in ("sitcom", "longest"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "questions.json").write_text("[]")
        assert load_model(name).features.text.startswith("minilm")
    assert load_model("sitcom").notes == packaged.notes == ()
    (tmp_path / "longest" / "config.json").write_text(
        "{"
    )  # what may have been a model is not passed over in silence
    (note,) = load_model("longest").notes
    assert f"{tmp_path / 'longest'} has files of a model that can't be read" in note
    shutil.copytree(random_model, tmp_path / "sitcom", dirs_exist_ok=True)
    own = load_model("sitcom")
    assert own.features.text == "words"
    assert own.notes == (
        f"the model is that in the folder {tmp_path / 'sitcom'}, not the packaged one of this name",
    )


def test_what_is_no_model_folder_is_said_with_the_one_that_is(random_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(random_model, run / "model")
    with pytest.raises(InputError, match=rf"{run}: is the folder of a run; its model is {run}/model$"):
        load_model(run)
    weights = run / "model" / "weights.safetensors"
    with pytest.raises(InputError, match=rf"is a file of a model; give its folder, {run}/model$"):
        load_model(weights)
    with pytest.raises(InputError, match=r"is no model folder \(it has no config\.json\); give .*sitcom"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="no such model"):
        load_model(tmp_path / "none")


@pytest.mark.parametrize(
    "config", ['{"model_type": "bert"}', "[]", "", "\xff", '{"stage": {}, "features": {}}']
)
def test_another_project_s_model_is_not_replaced(random_model: Path, tmp_path: Path, config: str) -> None:
    model = load_model(random_model)
    (tmp_path / "config.json").write_text(config, "latin-1")
    (tmp_path / "card.md").write_text("theirs")
    for refused in (lambda: save_model(model, tmp_path), lambda: export_model(model, tmp_path)):
        with pytest.raises(InputError, match="exists and is no"):
            refused()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.md", "config.json"]
    assert (tmp_path / "config.json").read_text("latin-1") == config


def test_weights_alone_are_not_replaced(random_model: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_text("hours of work")
    with pytest.raises(InputError, match="exists and is no model"):
        save_model(load_model(random_model), str(tmp_path))
    assert (tmp_path / "weights.safetensors").read_text() == "hours of work"


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


def test_a_model_is_never_removed_before_its_successor_stands(
    random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, folder = load_model(random_model), tmp_path / "model"
    save_model(model, folder, card="the first")
    other = (folder / "weights.safetensors").read_bytes()

    def failing(error: type[BaseException]) -> None:
        def refuse(made: Path, target: Path) -> None:
            raise error

        monkeypatch.setattr("stage.io.replace_folder", refuse)
        with pytest.raises((error, InputError)):
            save_model(model, folder, card="the second")

    for error in (OSError, KeyboardInterrupt, MemoryError):
        failing(error)
        assert (folder / "card.md").read_text() == "the first"
        assert (folder / "weights.safetensors").read_bytes() == other
        assert os.listdir(tmp_path) == ["model"]


def test_a_model_that_was_moved_aside_when_its_writer_was_killed_is_found(
    random_model: Path, tmp_path: Path
) -> None:
    shutil.copytree(random_model, tmp_path / "model")
    if not (child := os.fork()):
        os.rename(tmp_path / "model", temporary_name(tmp_path / "model", OLD))
        os._exit(0)
    os.waitpid(child, 0)
    assert not (tmp_path / "model").exists()
    load_model(tmp_path / "model")
    assert os.listdir(tmp_path) == ["model"]


def test_a_model_is_written_where_a_link_leads(random_model: Path, tmp_path: Path) -> None:
    model = load_model(random_model)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
    for card in ("first", "second"):
        check_replaceable(tmp_path / "link")
        save_model(model, tmp_path / "link", card=card)
        assert (tmp_path / "disk" / "model" / "card.md").read_text() == card
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="loop: can't be written"):
        check_replaceable(tmp_path / "loop")


def test_a_full_disk_leaves_the_model_that_was_there(random_model: Path, tmp_path: Path) -> None:
    """By a limit on the size of files, which is reported as a full disk is."""
    model = load_model(random_model)
    save_model(model, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["weights.safetensors"]) - 1, limits[1]))
    try:
        with pytest.raises(InputError) as error:
            save_model(model, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(error.value).startswith(f"{tmp_path / 'model'}")
    assert "can't be written (File too large)" in str(error.value)
    assert ".partial" not in str(error.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    assert os.listdir(tmp_path) == ["model"]


def test_weights_in_a_pipe_are_refused_and_not_waited_for(random_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(random_model, tmp_path / "model"))
    (folder / "weights.safetensors").unlink()
    os.mkfifo(folder / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.safetensors is no file"):
        load_model(folder)
