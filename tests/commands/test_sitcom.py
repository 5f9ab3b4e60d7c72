"""`stage sitcom` overwrites nothing and verifies what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from samples.command_line import Run
from stage.commands.sitcom import sitcom
from stage.errors import InputError
from stage.sitcom.benchmark.splits import VERSION


def test_episodes_do_not_overwrite_another_data_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text("[]")
    assert run("sitcom", tmp_path, "--episodes", "1").refused("another data set")
    (tmp_path / "sitcom.json").write_text("3")
    assert run("sitcom", tmp_path, "--episodes", "1").refused("other episodes")
    assert (tmp_path / "questions.json").read_text() == "[]"


def test_the_command_reports_other_settings_and_exits_with_1(
    sitcom_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        sitcom(sitcom_copy, verify=True, workers=1)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        "sitcom.json: seed is 7; published: 0",
        "sitcom.json: questions is 2; published: 12",
        "sitcom.json: episodes is 1; published: 40",
        f"{sitcom_copy} is not split val of the sitcom, version {VERSION}: 3 differences",
    ]
    with pytest.raises(InputError, match="--verify"):
        sitcom(sitcom_copy, verify=True, seed=7)
    with pytest.raises(InputError, match="can't be read"):
        sitcom(sitcom_copy / "nowhere", verify=True)
