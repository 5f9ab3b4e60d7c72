"""A configuration that does not validate says which key and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.errors import InputError
from stage.training.config import load_config

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
GOOD = "data: {train: a, val: b}\noutput: c\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("config", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_configuration_validates(config: Path) -> None:
    assert load_config(config).training.epochs > 0


def test_settings_can_be_changed_on_the_command_line(path: Path) -> None:
    config = load_config(path, ["training.epochs=3", "model.streams=video", "data.limits.regions=7"])
    assert (config.training.epochs, config.model.system.streams, config.data.limits.regions) == (
        3,
        "video",
        7,
    )


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("training.epochs=0", r"training\.epochs: .*greater than 0, but it is 0"),
        ("training.epoch=3", r"training\.epoch: there is no such setting"),
        ("model.streams=audio", r"model\.streams: .*'both'"),
        ("training.precision", r"key=value"),
        ("output.x=1", r"output is a value"),
        ("training.epochs=[", r"not YAML"),
        ("training.seed=-1", r"training\.seed: .*greater than or equal to 0"),
        ("model.input_kernel=4", r"model\.input_kernel: .*must be odd.*it is 4"),
        ("model=null", r"model: "),
    ],
)
def test_a_wrong_setting_is_named_with_its_reason(path: Path, override: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load_config(path, [override])


@pytest.mark.parametrize(
    ("content", "reason"),
    [("output: c\n", "data: is missing"), ("- 1\n", "holds no settings"), ("a: [", "is not YAML")],
)
def test_a_file_that_is_no_configuration_is_refused(path: Path, content: str, reason: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match=reason):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml")


def test_a_whole_section_can_be_set_over_a_file_of_another_kind(path: Path) -> None:
    for settings in (["model.kind=two_stream", "model={hidden: 64}"], ["model={kind: pamn, hidden: 64}"]):
        assert load_config(path, settings).model.system.hidden == 64
