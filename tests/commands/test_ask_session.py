"""`stage ask FILM` on a terminal: the film is looked at once, and errors don't end the session."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.answerers import Server, use
from samples.command_line import Run

PROGRAM = """
from stage.inference import names
names.KINDS["fake:"] = "samples.answerers"
from stage.commands import main
main()
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return use(monkeypatch)


def type_lines(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Lines that are typed on the terminal, which then ends."""
    waiting: Iterator[str] = iter(lines)

    def typed(prompt: str = "") -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)


def test_questions_are_answered_until_the_input_ends(
    run: Run, server: Server, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_lines(
        monkeypatch, "", "Who is it?", "Mia.", "Leo.", "", "Where is she?", "Here.", "There.", "Home.", ""
    )
    done = run("ask", short_film, "--model", "fake:x", "--report", tmp_path / "p.html")
    assert done.code == 0, done
    assert server.asked == ["Who is it ?", "Where is she ?"]
    assert done.out.count("shown from 1.0 s to 2.0 s of 4.0 s") == 2
    assert done.out.count("no subtitles: answered from the frames alone") == 1
    assert len(server.setups) == 1
    assert "evidence page" in done.out
    assert (tmp_path / "p.html").read_text().count('class="question"') == 2


def test_errors_are_said_and_the_session_continues(
    run: Run, server: Server, short_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_lines(monkeypatch, "Who is it?", "Mia.", "", "Who is it?", "", "Who is it?", "Mia.", "Leo.", "")
    done = run("ask", short_film, "--model", "fake:x", "--json")
    assert done.code == 0, done
    assert "stage: 1 candidate answer given; give two or more" in done.err
    assert "stage: 0 candidate answers given; give two or more" in done.err
    assert json.loads(done.out)["answers"] == ["Mia.", "Leo."]


def test_without_a_terminal_there_is_no_session(run: Run, server: Server, short_film: Path) -> None:
    done = run("ask", short_film, "--model", "fake:x")
    assert done.refused("there is no question; give one with --question and --answer for each candidate"), (
        done
    )


@pytest.mark.slow
def test_a_real_terminal_is_asked_with_prompts_and_ends_with_ctrl_d(short_film: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "STAGE_CACHE": str(tmp_path), "TERM": "dumb", "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "200",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "ask", short_film, "--model", "fake:free"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""

    def wait_for(text: bytes) -> None:
        nonlocal said
        while text not in said:
            said += os.read(ours, 4096)
        said = said.split(text, 1)[1]

    try:
        wait_for(b"question: ")
        os.write(ours, b"Who is at the door ?\n")
        wait_for(b"answer 1: ")
        os.write(ours, b"\n")
        wait_for(b"written freely")
        wait_for(b"question: ")
        os.write(ours, b"\x04")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        os.close(ours)
