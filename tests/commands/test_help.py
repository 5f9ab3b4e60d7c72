"""`stage --version`, and the help of every command."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
import typer

from samples.command_line import Run
from stage import commands

NO_COMMANDS = {"__init__", "progress"}


def test_the_version_is_that_of_the_distribution(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "version", lambda name: {"stage-vqa": "1.2.3"}[name])
    done = run("--version")
    assert (done.code, done.out, done.err) == (0, "stage 1.2.3\n", "")


def test_without_an_installed_distribution_the_version_is_unknown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(commands, "version", missing)
    assert run("--version").out == "stage 0+unknown\n"


def test_every_module_is_a_command_under_one_heading() -> None:
    modules = {path.stem for path in Path(commands.__file__).parent.glob("*.py")} - NO_COMMANDS
    assert {name.replace("-", "_") for name in commands.COMMANDS} == {name.rstrip("_") for name in modules}
    assert len(set(commands.COMMANDS)) == len(commands.COMMANDS)


def all_commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from all_commands(command)


def test_every_command_argument_and_option_has_a_help_text() -> None:
    for command in all_commands(typer.main.get_command(commands.program())):
        assert command.help, command.name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{command.name}: {parameter.name}"


def test_help_fits_a_terminal_of_80_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    for names in ((), *((name,) for name in commands.COMMANDS)):
        done = run(*names, "--help")
        assert done.code == 0
        assert max(map(len, done.out.splitlines())) <= 80
    for command in all_commands(typer.main.get_command(commands.program())):
        _, _, paragraphs = command.help.partition("\n\n")  # the first is rewrapped, others keep their lines
        assert max(map(len, paragraphs.splitlines()), default=0) <= 78, command.name
