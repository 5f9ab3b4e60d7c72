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
import stage.speech
from samples.answerers import Server, use
from samples.command_line import Run
from samples.page import evidence, moment, words
from stage.annotation.questions import read_questions
from stage.commands.asking.printing import print_evidence
from stage.inference.answerer import Answerer
from stage.speech import Transcript
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
    print_evidence(replace(found, moments=(*found.moments[:-1], beyond)))
    assert "mug: box (320, 90, 352, 108) at 2.3 s, score 0.80" in capsys.readouterr().out


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return use(monkeypatch)


def test_what_is_said_is_heard_with_subtitles_auto(
    run: Run, server: Server, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heard.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello there.\n")

    def heard(video: Path, **_: Any) -> Transcript:
        return Transcript(tmp_path / "heard.srt", "en", ("heard by base, in the language en (98 %)",))

    monkeypatch.setattr(stage.speech, "subtitles_of_sound", heard)
    done = run("ask", short_film, *ASKED, "--model", "fake:x", "--subtitles", "auto", "--json")
    assert done.code == 0, done
    answer = json.loads(done.out)
    assert answer["moments"][1]["subtitles"][0]["words"] == ["Hello", "there", "."]
    assert "heard by base, in the language en (98 %)" in answer["notes"]


def test_where_nobody_speaks_subtitles_auto_leaves_the_frames_alone(
    run: Run, server: Server, short_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        stage.speech, "subtitles_of_sound", lambda video, **_: Transcript(None, "", ("nobody was heard",))
    )
    done = run("ask", short_film, *ASKED, "--model", "fake:x", "--subtitles", "auto")
    assert done.code == 0, done
    assert "note: nobody was heard" in done.out
    assert "note: no subtitles: answered from the frames alone" in done.out


def test_who_answered_and_how_often_that_one_is_right_is_in_every_output(
    run: Run, server: Server, short_film: Path, tmp_path: Path
) -> None:
    command = ("ask", short_film, *ASKED, "--model", "fake:x", "--report", tmp_path / "page.html")
    said = "because it is the only one here; on films of one colour it is right on 41 of 100 questions (20 by luck)"
    assert f"answered by fake:x, {said}, its spans overlap the true ones by 0.38" in run(*command).out
    assert f"Answered by fake:x, {said}" in (tmp_path / "page.html").read_text()
    answered_by = json.loads(run(*command, "--json").out)["answered_by"]
    assert answered_by == {
        "name": "fake:x",
        "reason": "it is the only one here",
        "record": {
            "kind": "films of one colour", "questions": 81, "right": 0.41, "chance": 0.2, "span_iou": 0.38,
        },
    }  # fmt: skip


def test_no_answer_is_printed_as_certain(run: Run, server: Server, short_film: Path) -> None:
    done = run("ask", short_film, *ASKED, "--model", "fake:x")
    assert done.out.splitlines()[:2] == ["→  Mia .  > 99.9%", "   Leo .  < 0.1% "]


def test_an_answer_is_written_freely_where_the_answerer_can_and_refused_where_not(
    run: Run, server: Server, short_film: Path
) -> None:
    question = ("ask", short_film, "--question", "Who is at the door ?")
    done = run(*question, "--model", "fake:free")
    assert done.out.splitlines()[0].split("  ")[:2] == ["→", "<b>A man</b> - who else?"]
    assert "written freely" in done.out
    assert "%" not in done.out
    assert "it was never measured on films of this kind" in done.out
    answer = json.loads(run(*question, "--model", "fake:free", "--json").out)
    assert (answer["answers"], answer["probabilities"]) == (["<b>A man</b> - who else?"], [None])
    assert run(*question, "--model", "fake:x").refused("0 candidate answers given; give two or more")


@pytest.mark.slow
def test_asking_imports_no_library_that_is_slow_to_start(short_film: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv[0] = 'stage'\n"
        "from stage.commands import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "slow = {'transformers', 'sklearn', 'lightning', 'pytorch_lightning', 'pandas', 'scipy', 'matplotlib'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "ask", short_film, *ASKED, "--model", "sitcom"],
        capture_output=True, text=True, check=False, env={**os.environ, "STAGE_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
