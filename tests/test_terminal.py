"""What people wrote is printed as they wrote it: never markup, and without commands to the terminal."""

from __future__ import annotations

import ast
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.table import Table

from samples.command_line import Run
from samples.predictions import MIA, boxes, prediction, question
from stage.annotation.predictions import write_predictions
from stage.annotation.questions import write_questions
from stage.annotation.vocabulary import build_vocabulary, write_vocabulary
from stage.commands import progress
from stage.commands.errors import errors
from stage.commands.evaluate import evaluate
from stage.commands.progress import progress_bar
from stage.experiments.tables.paper import TABLE_3
from stage.experiments.tables.publish import publish
from stage.terminal import CONTROL, PlainConsole, printable

PACKAGE = Path(__file__).parents[1] / "src" / "stage"
HOSTILE = ("[/b] who", "[/x]", "q[x].json", "[bold]b[/bold]", ":smile:", "[link=x]y", "\\[b]", "[@click=f()]")
ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\r\u202e\udc80"
"""Sets a terminal's title, clears it, colours it, returns to the line's start, reverses it; and no Unicode at all."""
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["C", "Z"])))
SETTINGS = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def printed(*renderables: object) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=1000, force_terminal=True, color_system=None).print(*renderables)
    return file.getvalue()


@given(TEXTS)
@SETTINGS
def test_any_text_prints_as_itself(text: str) -> None:
    assert printed(text) == text + "\n"
    assert printable(text) == text


@given(TEXTS)
@SETTINGS
def test_any_text_is_a_cell_a_heading_a_title_and_a_caption(text: str) -> None:
    table = Table(title=text, caption=text, box=None, pad_edge=False, padding=0)
    table.add_column(text)
    table.add_row(text)
    assert [line.strip() for line in printed(table).splitlines() if line.strip()] == [text] * 4 * bool(text)


@given(st.text())
@example(ESCAPES)
@SETTINGS
def test_no_text_commands_the_terminal(text: str) -> None:
    table = Table(title=text)
    table.add_row(text)
    for shown in (printable(text), printed(text), printed(table)):
        assert not CONTROL.search(shown)
    shown = printable(text)
    assert printable(shown) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_progress_bar_shows_titles_as_they_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "PlainConsole", lambda **_: console)
    with progress_bar(text + ESCAPES) as advance:
        advance(1, 2, text)
    assert f"{text}{printable(ESCAPES)} ({text})" in file.getvalue()
    assert "]0;title\x07" not in file.getvalue()


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and questions whose texts and labels look like markup, and command the terminal."""
    label = "[/x]"
    asked = question(
        1,
        f"[/b] who has {label} {ESCAPES[:-1]} ?",
        answers=("[/a] yes", "[no]", "[red]"),
        boxes={7: (replace(MIA, label=label),)},
    )
    words = build_vocabulary([asked])
    write_questions(tmp_path / "q[x].json", [asked])
    write_vocabulary(tmp_path / "word2idx.json", words)
    write_predictions(tmp_path / "p[x].json", [prediction(1, 0, (10, 20), boxes(label, (MIA, 0.9)))], words)
    return tmp_path / "p[x].json", tmp_path / "q[x].json"


def test_statistics_show_questions_and_names_as_they_are(hostile: tuple[Path, Path], run: Run) -> None:
    done = run("data", "stats", hostile[1])
    assert done.code == 0
    assert "q[x].json" in done.out
    assert "questions beginning with '[/b]'" in done.out


def test_scores_and_errors_show_labels_as_they_are(
    hostile: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    done = run("evaluate", *hostile, "--json", tmp_path / "scores.json")
    assert done.code == 0
    assert "[/x]" in done.out
    assert "[/x]" in json.loads((tmp_path / "scores.json").read_text("utf-8"))["per_class"]
    done = run("errors", *hostile, "--out", tmp_path / "errors")
    assert done.code == 0
    assert f"[/b] who has [/x] {printable(ESCAPES[:-1])} ?" in done.out
    assert "predicted: [/a] yes" in done.out
    assert not CONTROL.search(done.out)


def test_scores_errors_and_tables_are_written_before_they_are_shown(
    hostile: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: PlainConsole, *shown: object, **options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(PlainConsole, "print", fails)
    with pytest.raises(BrokenPipeError):
        evaluate(*hostile, out=tmp_path / "scores.json")
    with pytest.raises(BrokenPipeError):
        errors(*hostile, out=tmp_path / "errors")
    with pytest.raises(BrokenPipeError):
        publish([TABLE_3], tmp_path / "tables", PlainConsole())
    assert json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert json.loads((tmp_path / "errors" / "errors.json").read_text("utf-8"))
    assert {"table_3.md", "table_3.csv", "table_3.png", "audit.md"} <= {
        p.name for p in (tmp_path / "tables").iterdir()
    }


def test_errors_of_the_command_line_are_printable(tmp_path: Path, run: Run) -> None:
    done = run("evaluate", tmp_path / "p\x1b[2J[/x].json", tmp_path / "none.json")
    assert done.refused("p\\x1b[2J[/x].json")


def test_only_this_module_prints() -> None:
    """Every other module prints by it: `print` and consoles of rich would pass on markup and control characters."""
    offenders = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "Console"}
        and path.name
        not in {"terminal.py", "__main__.py"}  # which prints one constant before anything is imported
    ]
    assert not offenders
