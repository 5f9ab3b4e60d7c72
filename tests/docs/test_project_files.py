"""What the project's files say of each other: checks before a commit, workflows, the changelog."""

from __future__ import annotations

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def recipe(target: str) -> str:
    """The commands of a target of the Makefile."""
    text = (ROOT / "Makefile").read_text("utf-8").replace("$(BIN)", ".venv/bin")
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found, target
    return found[1]


def test_the_checks_before_a_commit_are_those_of_make_test() -> None:
    hooks: list[dict[str, Any]] = [
        hook
        for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repository["hooks"]
    ]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy", "quick-tests"]
    for hook in hooks:
        target = "quick" if hook["id"] == "quick-tests" else "test"
        assert f"\t{hook['entry']}\n" in recipe(target)
        assert hook["language"] == "system"


def test_the_workflow_runs_the_makefile_on_every_supported_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert jobs["test"]["strategy"]["matrix"]["python"][0] == supported.removeprefix(">=")
    for job, command in (("test", "make test"), ("docs", "make docs")):
        assert command in [step.get("run") for step in jobs[job]["steps"]]


def test_the_changelog_names_modules_that_exist() -> None:
    rows = re.findall(
        r"^\| `(stage\.[\w.]+)` \| `(stage\.[\w.]+)` \|$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert len(rows) > 50
    for before, now in rows:
        assert find_spec(now), now
        assert before != now


def test_dependencies_are_explained_and_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    for line in [*project["dependencies"], *extras]:
        name = re.split(r"[\[<>=]", line)[0]
        assert f"`{name}`" in page, name
        assert name.lower() in pinned, name
