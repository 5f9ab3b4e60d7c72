"""`stage ask`: answers on standard output, faults in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stage.page
from samples.command_line import Run
from samples.page import evidence, moment, words
from stage.annotation.questions import read_questions
from stage.commands.ask import _print_evidence
from stage.inference.ask import Answerer
from stage.types import Box

ASKED = ("--question", "Who is it ?", "--answer", "Mia .", "--answer", "Leo .")


def test_standard_output_contains_only_the_json(
    sitcom_data: Path, sitcom_model: Path, tmp_path: Path
) -> None:
    episode = next((sitcom_data / "episodes").glob("*.mp4"))
    question = read_questions(sitcom_data / "questions.json")[0]
    answers = [part for answer in question.answers for part in ("--answer", answer)]
    page = tmp_path / "page.html"
    program = "from stage.commands import main; main()"
    done = subprocess.run(
        [
            sys.executable, "-c", program, "ask", episode, "--subtitles", episode.with_suffix(".srt"),
            "--question", question.text, *answers, "--model", sitcom_model, "--json", "--report", page,
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "STAGE_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"] == question.answers[answer["answer_index"]]
    assert len(answer["probabilities"]) == 5
    assert len(answer["span"]) == 2
    assert {"boxes", "moments", "concepts", "notes"} <= set(answer)
    assert question.text.split()[1] in page.read_text()
    assert done.stderr.split() == ["evidence", "page:", str(page)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--question", "Who ?", "--answer", "Mia"), "two or more"),
        (("--question", " ", "--answer", "Mia", "--answer", "Leo"), "question is empty"),
        (("--question", "Who ?", "--answer", "Mia", "--answer", ""), "answer 2 is empty"),
        ((*ASKED, "--model", "nowhere"), "no such model"),
        ((*ASKED, "--subtitles", "no.srt"), "no such file"),
    ],
)
def test_questions_that_can_not_be_asked_are_reported_in_one_line_with_exit_code_2(
    run: Run, short_film: Path, arguments: tuple[str, ...], reason: str
) -> None:
    done = run("ask", short_film, *arguments)
    assert done.refused(reason), done
    assert done.out == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.mp4", None), ("empty.mp4", b""), ("text.mp4", b"hello\n" * 99), ("x" * 300 + ".mp4", None)],
)
def test_files_that_are_not_films_are_reported_before_a_model_is_loaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("ask", tmp_path / name, *ASKED)
    assert done.refused(name), done


def test_subtitles_of_another_film_are_reported_before_a_model_is_loaded(
    run: Run, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    (tmp_path / "other.srt").write_text("1\n01:00:00,000 --> 01:00:02,000\nHello there.\n")
    done = run("ask", short_film, *ASKED, "--subtitles", tmp_path / "other.srt")
    assert done.refused("another film"), done


def test_a_page_that_can_not_be_written_is_reported_before_a_model_is_loaded(
    run: Run, short_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    done = run("ask", short_film, *ASKED, "--report", short_film / "page.html")
    assert done.refused("page.html: can't be written"), done


def test_an_answer_is_printed_even_if_its_page_can_not_be_written_any_more(
    run: Run, short_film: Path, sitcom_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "new" / "page.html"
    render = stage.page.render

    def render_on_a_full_disk(*arguments: Any, **named: Any) -> str:
        page.parent.touch()
        return render(*arguments, **named)

    monkeypatch.setattr(stage.page, "render", render_on_a_full_disk)
    done = run("ask", short_film, *ASKED, "--model", sitcom_model, "--json", "--report", page)
    assert done.code == 2
    assert "page.html: can't be written" in done.err
    assert json.loads(done.out)["answer"] in {"Mia .", "Leo ."}


def test_text_that_the_terminal_can_not_show_does_not_stop_an_answer(
    run: Run, short_film: Path, sitcom_model: Path
) -> None:
    question = "[bold]Wer[/] ist das 日本 \udc80 ?"
    done = run("ask", short_film, "--question", question, *ASKED[2:], "--model", sitcom_model)
    assert done.code == 0, done
    assert "Leo ." in done.out


def test_answers_are_printed_as_they_were_typed(run: Run, short_film: Path, sitcom_model: Path) -> None:
    typed = ["--x", "[a]-b", '"Mia?"']
    given = ("--answer", typed[0], f"--answer={typed[1]}", "--answer", typed[2])
    command = ("ask", short_film, "--question", "Who -- is it?", *given, "--model", sitcom_model)
    done = run(*command)
    assert done.code == 0, done
    rows = done.out.splitlines()[:3]
    for text, row in zip(typed, rows, strict=True):
        assert row.removeprefix("→").split()[0] == text
    answer = json.loads(run(*command, "--json").out)
    assert answer["question"] == "Who -- is it?"
    assert answer["answers"] == typed
    assert answer["answer"] == typed[answer["answer_index"]]


def test_answers_that_the_model_can_not_tell_apart_are_refused(run: Run, short_film: Path) -> None:
    done = run(
        "ask", short_film, "--question", "How cold?", "--answer", "-5 degrees", "--answer", "5 degrees"
    )
    assert done.refused("candidate answers 1 and 2 are both '5 degrees' to the model"), done


def test_boxes_are_those_of_frames_in_the_span(capsys: pytest.CaptureFixture[str]) -> None:
    found = evidence()
    beyond = moment(
        19, words(19, "mug", Box(1, 2, 3, 4, "mug", 0.99))
    )  # where the span ends, the next frame begins
    _print_evidence(replace(found, moments=(*found.moments[:-1], beyond)))
    assert "mug: box (320, 90, 352, 108) at 2.3 s, score 0.80" in capsys.readouterr().out
