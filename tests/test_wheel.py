"""Installing the wheel brings all that asking needs: every asset, and a requirement for every import."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from samples.places import ROOT

SOURCE = ROOT / "src" / "stage"
ASKED = """
import sys
from stage.commands import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
finally:
    print(*sys.modules, file=sys.stderr)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from, since building writes next to it."""
    copy = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `pip install` builds it."""
    if find_spec("setuptools") is None or find_spec("pip") is None:
        pytest.skip("setuptools or pip, which build the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = (
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(project),
    )
    done = subprocess.run([sys.executable, "-m", "pip", *build], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package(wheel: Path, project: Path) -> None:
    source = project / "src"
    with ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    files = {
        path.relative_to(source).as_posix(): path.stat().st_size
        for path in (source / "stage").rglob("*")
        if path.is_file()
    }
    assert "stage/assets/minilm/weights.safetensors" in files
    assert {name: size for name, size in files.items() if sizes.get(name) != size} == {}


def required(wheel: Path) -> set[str]:
    """The distributions that are installed with the wheel, without any extra, by their normalised names."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode("utf-8"))
    lines = metadata.get_all("Requires-Dist") or []
    return {normalised(re.split(r"[^\w.-]", line)[0]) for line in lines if "extra ==" not in line}


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imports_of(path: Path) -> Iterator[str]:
    """The packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_wheel_requires_whatever_the_package_imports_when_it_is_asked(
    wheel: Path, spoken_film: Path, tmp_path: Path
) -> None:
    question = ("--question", "Who is here ?", "--answer", "Mia .", "--answer", "Leo .", "--model", "sitcom")
    done = subprocess.run(
        [sys.executable, "-c", ASKED, "ask", spoken_film, *question, "--report", tmp_path / "page.html"],
        capture_output=True, text=True, env=os.environ | {"STAGE_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.splitlines()[-1].split())
    modules = [SOURCE.joinpath(*name.split(".")[1:]) for name in loaded if name.partition(".")[0] == "stage"]
    files = [
        path if (path := module.with_suffix(".py")).is_file() else module / "__init__.py"
        for module in modules
    ]
    imported = {name for path in files for name in imports_of(path)} & loaded - set(sys.stdlib_module_names)
    assert {"torch", "tokenizers", "safetensors", "av", "numpy"} <= imported
    of_package = packages_distributions()
    distributions = {name: set(map(normalised, of_package[name])) for name in imported - {"stage"}}
    missing = {name: found for name, found in distributions.items() if not found & required(wheel)}
    assert missing == {}
