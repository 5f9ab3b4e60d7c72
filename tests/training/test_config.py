"""A configuration that does not validate says which key and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.data_folder import random_run
from samples.places import ROOT
from stage.errors import InputError
from stage.training.config import load_config


def repeated(line: str, times: int = 9) -> str:
    """A file in which every line repeats the one before ten times."""
    return "".join(
        line.format(i, i, ",".join([f"*a{i - 1}"] * 10 if i else ["x"] * 10)) + "\n" for i in range(times)
    )


CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
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
    [
        (repeated("a{}: &a{} [{}]"), "with its aliases it has more than 10,000 values"),
        (repeated("a{}: &a{} {{<<: [{}]}}").replace("x", "{x: 1}"), "more than 10,000 values"),
        ("a: &a [*a]", "more than 10,000 values"),
        ("a: &a {<<: *a}", "more than 10,000 values"),
        ("a: " + "[1, 2]," * 200_000, "has 1 MB, and at most 1 MB are read"),
        ("[" * 1500, "recursion"),
        (f"a: 0x{'f' * 5000}", "a value is longer than 4,000 characters"),
        ('output: "a\\0b"', "has a NUL"),
    ],
)
def test_a_configuration_that_grows_without_bound_is_refused(path: Path, content: str, reason: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match=reason):
        load_config(path)


TAGGED = (
    '!!int ""', "!!int x", '!!float ""', "!!bool x", "!!timestamp 5", "!!set [a]", "!!omap {a: 1}", "!!pairs 3",
    "!!null x", '!!binary "x"', "!!map [1]", "!!seq {a: 1}", "!!str {a: 1}", "!!int {}", "!!merge a", "!other a",
    "0x", "2020-01-01", "!!python/object/apply:os.system [a]", "!!python/name:os.system", "9" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("value", TAGGED)
@pytest.mark.parametrize("place", ["{}", "output: {}", "model: {}", "? {}\n: 1", "training:\n  epochs: {}"])
def test_a_value_that_does_not_fit_its_tag_is_refused(path: Path, place: str, value: str) -> None:
    content = place.format(value)
    path.write_text(("" if "output" in content else GOOD) + content)
    with pytest.raises(InputError):
        load_config(path)
    path.write_text(GOOD)
    with pytest.raises(InputError):
        load_config(path, [f"training.epochs={value}"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [("output: c\n", "data: is missing"), ("- 1\n", "contains no settings"), ("a: [", "is not YAML")],
)
def test_a_file_that_is_no_configuration_is_refused(path: Path, content: str, reason: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match=reason):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml")


def test_a_whole_section_overrides_that_of_a_file_of_another_kind(path: Path) -> None:
    for settings in (["model.kind=two_stream", "model={hidden: 64}"], ["model={kind: pamn, hidden: 64}"]):
        assert load_config(path, settings).model.system.hidden == 64


def test_settings_of_the_kind_in_the_file_are_dropped_for_another_kind(
    random_data: Path, tmp_path: Path
) -> None:
    config = random_run(
        random_data, tmp_path, "model.kind=two_stream", model="hidden: 8, span_margin: 0"
    ).model.system
    assert config.model_dump(include={"kind", "hidden"}) == {"kind": "two_stream", "hidden": 8}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            ["model.kind=three_stream"],
            r"model\.kind: there is no such kind of model; choose one of stage, two",
        ),
        (["model.kind=longest"], r"model\.kind: there is no such kind"),
        (["model.kind=[1]"], r"model\.kind: there is no such kind"),
        (["model.kind=two_stream", "model.span_margin=3"], r"model\.span_margin: there is no such setting"),
        (["model.span_margin=3", "model.kind=pamn"], r"model\.span_margin: there is no such setting"),
        (["model.within_span=true"], r"model\.within_span: there is no such setting"),
        (["model.kind=late_fusion", "model.encoder=gru"], r"model\.encoder: .*'rnn' or 'cnn'"),
        (["model.kind=two_stream", "model.hidden=7"], r"model\.hidden: .*multiple of 2"),
        (["model.text_dim=7"], r"model\.text_dim: there is no such setting"),
    ],
)
def test_a_wrong_kind_or_setting_is_named_in_one_line(
    random_data: Path, tmp_path: Path, overrides: list[str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        random_run(random_data, tmp_path, *overrides)
    assert "\n" not in str(raised.value)
