"""The examples of README and documentation: Python runs, command lines parse, the tutorial runs from end to end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from samples.onnx_detectors import listed, write_onnx
from stage.annotation.predictions import read_predictions
from stage.annotation.questions import read_questions
from stage.commands import program
from stage.training.config import load_config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"
# A block with commands that can't be tried is ```{.sh .norun}. They install into the environment that the tests run
# in (`make install`, `pip install`), or need what isn't there (pre-commit, servers, models of a hub).
FENCE = re.compile(r"^```(?:(\w+)|\{\.(\w+) \.norun\})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALLER = {
    "--seed 7 --episodes 2": "--seed 7 --episodes 1",
    "--episodes 12 --questions 48": "--episodes 1 --questions 8",
    "--split val --episodes 2": "--split val --episodes 1 --questions 4",
    "training.epochs=3": "training.epochs=1",
}
"""What the tutorial is run with in place of what it says, since its own numbers take minutes."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    runs: bool
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> Iterator[list[str]]:
        """The words of every command line."""
        for line in self.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for fence in FENCE.finditer(text):
            line = text.count("\n", 0, fence.start()) + 1
            language, runs = fence[1] or fence[2], fence[1] is not None
            if language in languages:
                found.append(Block(page, line, language, runs, fence[3]))
    return found


def targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def parse(words: list[str]) -> dict[str, Any]:
    """The parameters of a `stage` command line. Fails for a command or option that doesn't exist."""
    command: Any = typer.main.get_command(program())
    while hasattr(command, "commands"):
        assert words, f"`{command.name}` needs a command"
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    context = command.make_context(command.name, list(words))
    parameters: dict[str, Any] = context.params
    return parameters


def configuration(name: str | Path, page: Path, folder: Path) -> Path:
    """The file of the repository, or the one that the page shows."""
    if (ROOT / name).is_file():
        return ROOT / name
    shown = next(block for block in blocks("yaml") if block.page == page)
    path = folder / Path(name).name
    path.write_text(shown.text)
    return path


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_command_lines_parse(block: Block, tmp_path: Path) -> None:
    for program_name, *words in block.commands:
        match program_name:
            case "stage":
                given = parse(words)
                if words[0] in ("train", "tables"):
                    load_config(configuration(given["config"], block.page, tmp_path), given["set_"] or ())
            case "make":
                assert {word for word in words if "=" not in word} <= targets()
            case "python":
                assert (ROOT / words[0]).is_file()
            case _:
                assert not block.runs, f"{program_name} isn't known here"


def test_an_option_that_does_not_exist_fails() -> None:
    with pytest.raises(Exception, match="--nothing"):
        parse(["train", "configs/sitcom.yaml", "--nothing"])


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_configurations_validate(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(block.text)
    load_config(path)
    assert yaml.safe_load(block.text)["output"]


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_files_are_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(block.text)
    content = json.loads(block.text)
    if isinstance(content, list):
        assert read_questions(path)
    elif "ts_answer" in content:
        table = read_predictions(path)
        assert len(table.qid) == 1
        assert table.boxes is not None


@pytest.fixture(scope="module")
def workplace(sitcom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name, made of a drawn episode."""
    folder = tmp_path_factory.mktemp("examples")
    episode = next((sitcom_data / "episodes").glob("*.mp4"))
    for suffix in (".mp4", ".srt"):
        shutil.copy(episode.with_suffix(suffix), folder / f"film{suffix}")
    shutil.copy(sitcom_data / "questions.json", folder)
    for split in ("train", "val"):
        (folder / "mydata" / split).mkdir(parents=True)
        shutil.copytree(sitcom_data / "episodes", folder / "mydata" / split / "episodes")
        shutil.copy(sitcom_data / "questions.json", folder / "mydata" / split)
    run(["stage", "predict", str(sitcom_data), "predictions.json"], folder)
    if find_spec("onnx"):
        write_onnx(folder / "detector.onnx", listed(([8.0, 8.0, 40.0, 40.0], 0.9, 0)))
        (folder / "detector.txt").write_text("dog\n")
    return folder


def run(words: list[str], folder: Path) -> str:
    """Run a command line in a folder, by the Python and the package of the tests. Returns its standard output."""
    arguments = [sys.executable, "-m", *words] if words[0] == "stage" else words
    environment = os.environ | {"STAGE_CACHE": str(folder / "cache"), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"
    return done.stdout


def execute(text: str, name: str) -> None:
    """Run Python as a program of its own would be; what it prints is dropped."""
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, name, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in blocks("python") if b.page != TUTORIAL and b.runs], ids=str)
def test_python_runs(block: Block, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "onnx:" in block.text and "detector=" in block.text:
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("STAGE_CACHE", str(workplace / "cache"))
    execute(block.text, str(block))


@pytest.mark.slow
def test_own_data_can_be_made_and_checked(workplace: Path) -> None:
    page = ROOT / "docs" / "how-to" / "own-data.md"
    commands = [words for block in blocks("sh") if block.page == page for words in block.commands]
    said = [run(words, workplace) for words in commands if words[1] == "data"]
    for split, last in zip(("train", "val"), said[-2:], strict=True):
        assert f"mydata/{split}: " in last
        assert "usable question" in last
        assert "error: " not in last


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))
    said, replaced = "", set()
    for block in (b for b in blocks("sh", "python", "text") if b.page == TUTORIAL and b.runs):
        if block.language == "python":
            execute(block.text, str(block))
        elif block.language == "text":
            answers = [line for line in block.text.splitlines() if line.startswith("→")]
            assert answers
            assert all(line in said for line in answers), said
        else:
            for words in block.commands:
                line = shlex.join(words)
                for written, smaller in SMALLER.items():
                    if written in line:
                        replaced.add(written)
                        line = line.replace(written, smaller)
                said = run(shlex.split(line), tmp_path)
    assert replaced == set(SMALLER)
    assert (tmp_path / "tutorial" / "run" / "model" / "config.json").is_file()
    assert (tmp_path / "tutorial" / "evidence.html").stat().st_size > 100_000


def test_every_page_closes_its_blocks() -> None:
    for page in PAGES:
        fences = [line for line in page.read_text("utf-8").splitlines() if line.startswith("```")]
        opening = [fence for i, fence in enumerate(fences) if i % 2 == 0]
        closing = [fence for fence, _ in groupby(fences[1::2])]
        assert closing in ([], ["```"]), page
        assert all(len(fence) > 3 for fence in opening if page.name != "architecture.md"), page
