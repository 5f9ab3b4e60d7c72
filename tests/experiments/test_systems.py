"""Each system of the tables is a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from samples.places import ROOT
from stage.errors import InputError
from stage.experiments.systems import SYSTEMS, settings_for, systems_named
from stage.training.config import load_config


@pytest.mark.parametrize("system", [system for system in SYSTEMS.values() if system.trained])
@pytest.mark.parametrize("name", ["sitcom", "human"])
def test_every_row_is_a_configuration_of_every_data_set(name: str, system: Any) -> None:
    settings = settings_for(system, ["training.epochs=2", "model.dropout=0.2", "model.span_margin=1"])
    config = load_config(ROOT / "configs" / f"{name}.yaml", settings)
    assert config.training.epochs == 2
    assert config.model.system.kind == system.kind
    assert config.model.system.model_dump()["dropout"] == 0.2


def test_settings_do_not_reach_kinds_that_lack_them() -> None:
    assert settings_for(SYSTEMS["pamn"], ["model.span_margin=1", "model.hidden=8"]) == [
        "model.hidden=8",
        "model.kind=pamn",
    ]
    assert "model.spam=1" in settings_for(SYSTEMS["pamn"], ["model.spam=1"])  # refused when it is read
    with pytest.raises(InputError, match="sets its own kind"):
        settings_for(SYSTEMS["pamn"], ["model.kind=stage"])


def test_a_row_that_is_named_twice_is_run_once() -> None:
    assert systems_named(["stage", "longest", "stage"]) == ["stage", "longest"]
