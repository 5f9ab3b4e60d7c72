"""The page of promises names tests that exist, and limits as they are in the code."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "promises.md").read_text("utf-8")
TABLES = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [row for row in TABLES if row[0].strip() not in ("---", "What", "Input")]
TESTS = [row for row in ROWS if "`tests/" in row[-1]]
LIMITS = [row for row in ROWS if "`stage." in row[-1]]


def test_every_promise_names_its_test() -> None:
    assert TESTS
    assert not [row for row in ROWS if row not in TESTS and row not in LIMITS]
    for row in TESTS:
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1]):
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, name


def test_limits_are_those_of_the_code() -> None:
    assert LIMITS
    for _, said, constant in LIMITS:
        module, _, name = constant.strip(" `").rpartition(".")
        found = re.match(r" ([\d,]+) ", said)
        assert found, said
        assert int(found[1].replace(",", "")) == getattr(importlib.import_module(module), name), constant
