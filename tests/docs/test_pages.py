"""What scripts write into the documentation: tables of scores, the command line, the settings."""

from __future__ import annotations

import json
import re
import runpy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from stage.commands import program
from stage.training.config import RunConfig, TrainingConfig

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "scripts"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPTS / "figures.py"))


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPTS / "reference.py"))


def test_tables_of_scores_are_those_of_the_results(figures: dict[str, Any]) -> None:
    for page in figures["pages"]():
        text = page.read_text("utf-8")
        assert text == figures["updated"](text), f"{page}: run `python docs/scripts/figures.py --write`"


def test_every_table_of_scores_is_shown_somewhere(figures: dict[str, Any]) -> None:
    shown = {
        name
        for page in figures["pages"]()
        for name in re.findall(r"<!-- figures: ([\w-]+) -->", page.read_text())
    }
    assert shown == set(figures["TABLES"])


def test_a_table_has_the_scores_of_the_model_card(figures: dict[str, Any]) -> None:
    card = next(
        line for line in figures["CARD"].read_text("utf-8").splitlines() if line.startswith("- scores")
    )
    (row,) = (line for line in figures["TABLES"]["sitcom"]().splitlines() if "packaged" in line)
    shares = re.findall(r"([\d.]+) %", card)
    assert re.findall(r"\d+\.\d", row) == [f"{float(share):.1f}" for share in shares]


def test_a_table_with_a_score_of_another_value_is_out_of_date(figures: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "sitcom.md").read_text("utf-8")
    changed = text.replace("| **the packaged model `sitcom`** | 9", "| **the packaged model `sitcom`** | 8")
    assert changed != text
    assert figures["updated"](changed) == text


def test_the_trust_table_has_every_record(figures: dict[str, Any]) -> None:
    lines = figures["TABLES"]["trust"]().splitlines()
    for folder in figures["MODELS"].iterdir():
        for record in json.loads((folder / "records.json").read_text()).values():
            row = f"| {100 * record['right']:.0f} | {100 * record['chance']:.0f} | "
            assert any(
                f"`{folder.name}`" in line and record["kind"] in line and row in line for line in lines
            )


def commands(name: str, command: Any) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(name, command)]
    return [found for key, value in inner.items() for found in commands(f"{name} {key}", value)]


def test_the_reference_has_every_command_and_option(reference: dict[str, Any]) -> None:
    if tuple(map(int, version("typer").split(".")[:2])) < (0, 29):
        pytest.skip("before 0.29, typer doesn't tell the types of parameters")
    page = reference["on_page_markdown"]("<!-- reference: command-line -->")
    app: Any = typer.main.get_command(program())
    for name, command in commands("stage", app):
        section = re.search(rf"^#+ {re.escape(name)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        for parameter in command.params:
            if "--help" not in parameter.opts:
                names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
                shown = parameter.metavar.strip("[].") if parameter.metavar else names[0]
                assert any(f"`{text}" in section[1] for text in (names[0], shown)), (name, names)


def test_the_reference_has_every_setting(reference: dict[str, Any]) -> None:
    page = reference["on_page_markdown"]("<!-- reference: settings -->")
    for key in [*TrainingConfig.model_fields, *RunConfig.model_fields.keys() - {"data", "model", "training"}]:
        assert f"| `{key}` |" in page, key


def test_every_reference_stands_on_a_page(reference: dict[str, Any]) -> None:
    pages = [path.read_text("utf-8") for path in (ROOT / "docs" / "reference").glob("*.md")]
    for name in reference["PARTS"]:
        assert sum(f"<!-- reference: {name} -->" in page for page in pages) == 1


def test_pages_speak_of_files_that_exist() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for name in re.findall(
            r"`((?:src|tests|docs|configs|benchmarks|results)/[\w./-]+)`", page.read_text("utf-8")
        ):
            assert (ROOT / name).exists(), f"{page}: {name}"
