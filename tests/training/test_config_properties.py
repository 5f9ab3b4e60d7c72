"""Whatever a configuration file or `--set` contains, it is a configuration or an error in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stage.errors import InputError
from stage.model.build import KINDS
from stage.training.config import RunConfig, load_config, settings_of

KEYS = [
    "data",
    "train",
    "val",
    "output",
    "model",
    "training",
    "kind",
    "epochs",
    "limits",
    "frames",
    "seed",
    "hidden",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.dates()
    | st.sampled_from([*KINDS])
)
contents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | scalars.filter(lambda key: key == key), inner, max_size=4)
    ),
    max_leaves=12,
)
whole = st.fixed_dictionaries(
    {"data": contents, "output": st.just("out") | contents},
    optional={"model": contents, "training": contents},
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "run.yaml"


def check(file: Path, overrides: list[str]) -> None:
    message = ""
    try:
        config = load_config(file, overrides)
    except InputError as error:
        message = str(error)
    else:
        assert RunConfig.model_validate(settings_of(config)) == config
    assert not message or message.startswith((str(file), "--set"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=whole | contents, keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), value=contents)
def test_any_content_is_a_configuration_or_an_error(
    file: Path, content: Any, keys: list[str], value: Any
) -> None:
    file.write_text(yaml.safe_dump(content), "utf-8")
    check(file, [])
    check(file, [f"{'.'.join(keys)}={yaml.safe_dump(value, default_flow_style=True)}"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=60) | st.text("{}[]:,-?&*!|>'\"%@`# \nab1", max_size=30).map(str.encode))
@example(b"data: {train: 2024-13-45, val: b}\noutput: c\n")
@example(b"data: &a {train: *a, val: b}\noutput: c\n")
@example(b"? [1, 2]\n: 3\n")
@example(b"{[1]: 2}")
@example(b"a: !!python/object:os.system {}")
@example(b"data: !!binary aaa=\noutput: c")
@example(b"output: 1:60:60.5\n!!int x: 0o9")
@example(b"!!int x")
@example(b"!!float x")
@example(b"--- a\n--- b\n")
@example(b"\xff\xfed\x00")
def test_any_bytes_are_a_configuration_or_an_error(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    check(file, [])


def test_a_long_configuration_is_one_line_of_error(file: Path) -> None:
    file.write_text("data: " + "[" * 2000 + "]" * 2000)
    with pytest.raises(InputError) as raised:
        load_config(file)
    assert len(str(raised.value)) < 1000
