"""The shape of the package: its tree as the documentation gives it, and imports that point one way."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "stage"
LAYERS = (
    {"errors", "types", "geometry", "temporary", "terminal", "wording"},
    {"io", "runtime"},
    {"lock", "media"},
    {"annotation"},
    {"sitcom", "metrics", "page"},
    {"features"},
    {"data", "collecting", "speech"},
    {"model"},
    {"inference"},
    {"release", "training", "zero_shot", "vlm"},
    {"experiments"},
    {"commands"},
    {"__main__"},
)
"""Each imports only from those above it."""
LONGEST_FILE = 400


def modules() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """The modules of the package that a module imports, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stage":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in known else node.module


def test_the_tree_of_the_documentation_is_that_of_the_package() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "scripts" / "tree.py"))
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert page == script["page_with_tree"](page), "run `python docs/scripts/tree.py --write`"


def test_imports_point_one_way() -> None:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    known = {name for name, _ in modules()}
    for module, path in modules():
        package = ([*module.split("."), ""])[1]
        for imported in imports(path, known):
            target = ([*imported.split("."), ""])[1]
            if package and target and package != target:
                assert layer[target] < layer[package], f"{module} imports {imported}"


@pytest.mark.slow
def test_no_modules_import_each_other() -> None:
    known = {name for name, _ in modules()}
    left = {module: set(imports(path, known)) - {module} for module, path in modules()}
    while free := {module for module, needed in left.items() if not needed & left.keys()}:
        left = {module: needed for module, needed in left.items() if module not in free}
    assert not left, f"in circles: {sorted(left)}"


def test_no_file_is_longer_than_one_idea() -> None:
    lengths = {module: len(path.read_text("utf-8").splitlines()) for module, path in modules()}
    assert not {module: length for module, length in lengths.items() if length > LONGEST_FILE}
