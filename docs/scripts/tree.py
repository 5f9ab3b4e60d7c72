"""Print the tree of the package: a line per folder and module, with the first line of its docstring.

python docs/scripts/tree.py            print it
python docs/scripts/tree.py --write    put it into docs/architecture.md
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "stage"
PAGE = Path(__file__).parents[1] / "architecture.md"
COLUMN = 36
"""Where descriptions begin."""


def tree(folder: Path, depth: int = 1) -> Iterator[str]:
    """The modules of a folder, then its folders with theirs; each line indented by its depth."""
    for module in sorted(folder.glob("*.py")):
        if module.name != "__init__.py":
            yield line(module.name, module, depth)
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file()):
        yield line(f"{inner.name}/", inner / "__init__.py", depth)
        yield from tree(inner, depth + 1)


def line(name: str, module: Path, depth: int) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return f"{'  ' * depth + name:<{COLUMN}}{docstring.splitlines()[0].rstrip('.')}"


def block() -> str:
    return "\n".join(["```", "src/stage/", *tree(PACKAGE), "```"])


def page_with_tree(text: str) -> str:
    """The page with the block between its first two fences replaced."""
    before, _, after = text.split("```", 2)
    return before + block() + after


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page_with_tree(PAGE.read_text("utf-8")), "utf-8")
    else:
        print(block())
