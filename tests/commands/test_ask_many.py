"""`stage ask` with a file of questions: every question gets its line, and nothing that was answered is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samples.answerers import DOWN, Server, use
from samples.command_line import Done, Run
from samples.page import Page
from stage.inference.journal import Journal

TRUE: list[dict[str, Any]] = [
    {"qid": "a", "q": "Where is Mia ?", "a0": "Here .", "a1": "There .", "answer_idx": "0", "ts": [1.0, 2.0]},
    {
        "qid": "b",
        "q": "Who is it ?",
        "a0": "Leo .",
        "a1": "Sam - .",
        "a2": "Mia .",
        "answer_idx": 1,
        "ts": [1, 3],
    },
    {"qid": 7, "q": "What is red ?", "a0": "The mug .", "a1": "A hat ."},
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return use(monkeypatch)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    (tmp_path / "q.json").write_text(json.dumps(TRUE))
    return tmp_path / "q.json"


@pytest.fixture
def ask(run: Run, short_film: Path, questions: Path) -> Run:
    def asking(*arguments: str | Path, model: str = "fake:x") -> Done:
        return run("ask", short_film, "--questions", questions, "--model", model, *arguments)

    return asking


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_question_has_a_line_with_its_own_id_and_the_scores_end_the_output(
    ask: Run, server: Server, tmp_path: Path
) -> None:
    done = ask("--json-lines", tmp_path / "new" / "out.jsonl", "--report", tmp_path / "page.html")
    assert done.code == 0, done
    lines = lines_of(tmp_path / "new" / "out.jsonl")
    assert [line["id"] for line in lines] == ["a", "b", 7]
    assert lines[1]["answers"] == ["Leo .", "Sam - .", "Mia ."]
    assert {"boxes", "moments", "concepts", "notes", "clip", "answered_by"} <= lines[0].keys()
    assert lines[0]["answered_by"]["record"]["questions"] == 81
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["out.jsonl"]
    # One of two is right; spans from 1 to 2 s: IoU 1 with 1 to 2, and 1 / 2 with 1 to 3.
    assert "1 of 2 answers right (QA accuracy 50.0 %); mean span IoU 0.750 of 2 questions\n" in done.out
    assert (
        done.out.count("answered by fake:x, because it is the only one here; on films of one colour it is")
        == 1
    )
    assert "right on 41 of 100 questions (20 by luck)" in done.out
    assert "b: Who is it ?\n  → Leo . (> 99.9%), shown from 1.0 to 2.0 s\n" in done.out
    page = Page((tmp_path / "page.html").read_text()).root
    assert len(page.all("article", "question")) == 3
    assert all("right on 41 of 100" in who.text for who in page.all("p", "who"))


def test_lines_on_standard_output_are_all_that_is_there(ask: Run, server: Server) -> None:
    done = ask("--json-lines", "-")
    assert done.code == 0, done
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["a", "b", 7]
    assert "QA accuracy 50.0 %" in done.err


def test_a_question_that_can_not_be_asked_has_an_error_and_the_others_are_answered(
    ask: Run, server: Server, questions: Path, tmp_path: Path
) -> None:
    questions.write_text(
        json.dumps([*TRUE[:1], {"qid": 2, "q": "How cold ?", "a0": "-5", "a1": "5"}, TRUE[2]])
    )
    done = ask("--json-lines", tmp_path / "out.jsonl")
    assert done.code == 1
    first, second, third = lines_of(tmp_path / "out.jsonl")
    assert "answer" in first
    assert "answer" in third
    assert second.keys() == {"id", "question", "error"}
    assert "both '5' to the model" in second["error"]
    assert "question 2: candidate answers 1 and 2" in done.err


def test_a_file_of_which_nothing_can_be_asked_is_refused(ask: Run, server: Server, questions: Path) -> None:
    questions.write_text('[{"q": "Who ?"}, {"q": " ", "a0": "x", "a1": "y"}]')
    done = ask()
    assert done.refused("none of 2 questions can be asked; the first: 0 candidate answers given"), done


def test_what_was_answered_before_a_server_went_down_is_not_asked_again(
    ask: Run, server: Server, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    server.works_for = 2
    done = ask("--json-lines", out)
    assert done.code == 1
    assert [line.get("error") for line in lines_of(out)] == [None, None, DOWN]
    assert server.asked == ["Where is Mia ?", "Who is it ?"]
    server.works_for = 9
    again = ask("--json-lines", out, "--report", tmp_path / "page.html")
    assert again.code == 0, again
    assert "2 answers from there, not asked again" in again.err
    assert server.asked == ["Where is Mia ?", "Who is it ?", "What is red ?"]
    assert [line["answer"] for line in lines_of(out)] == ["Here .", "Leo .", "The mug ."]
    assert not (tmp_path / "out.jsonl.unfinished").exists()
    assert "mean span IoU 0.750" in again.out
    assert len(Page((tmp_path / "page.html").read_text()).root.all("article", "question")) == 3
    server.asked.clear()
    fresh = tmp_path / "fresh.jsonl"
    assert ask("--json-lines", fresh).code == 0
    assert lines_of(fresh) == lines_of(out)


def test_an_interrupted_command_is_resumed(
    ask: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Server.answer

    def interrupted(self: Server, question: Any) -> None:
        if len(self.asked) == 1:
            raise KeyboardInterrupt
        answer(self, question)

    with monkeypatch.context() as context:
        context.setattr(Server, "answer", interrupted)
        assert ask("--json-lines", tmp_path / "out.jsonl").code == 130
    assert not (tmp_path / "out.jsonl").exists()
    assert ask("--json-lines", tmp_path / "out.jsonl").code == 0
    assert server.asked == ["Where is Mia ?", "Who is it ?", "What is red ?"]


def test_what_another_model_answered_is_neither_used_nor_lost(
    ask: Run, server: Server, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    server.works_for = 1
    assert ask("--json-lines", out).code == 1
    kept = (tmp_path / "out.jsonl.unfinished").read_bytes()
    done = ask("--json-lines", out, model="fake:other")
    assert done.refused("keeps what another command has done so far"), done
    assert (tmp_path / "out.jsonl.unfinished").read_bytes() == kept


def test_after_three_failures_in_a_row_nothing_is_asked_any_more(
    ask: Run, server: Server, questions: Path, tmp_path: Path
) -> None:
    questions.write_text(json.dumps([{"q": f"Is it {i} ?", "a0": "x", "a1": "y"} for i in range(6)]))
    server.works_for = 1
    assert ask("--json-lines", tmp_path / "out.jsonl").code == 1
    errors = [line.get("error") for line in lines_of(tmp_path / "out.jsonl")]
    assert errors[:4] == [None, DOWN, DOWN, DOWN]
    assert errors[4] == errors[5] == f"not asked, since the 3 before it failed, the last because {DOWN}"


def test_questions_about_other_films_are_noted_and_left_out(
    ask: Run, server: Server, questions: Path
) -> None:
    named = [{**TRUE[0], "vid_name": "short"}, {**TRUE[1], "vid_name": "long"}]
    questions.write_text(json.dumps(named))
    done = ask()
    assert done.code == 0, done
    assert server.asked == ["Where is Mia ?"]
    assert "note: " in done.err
    assert "1 of 2 questions is about another clip and is not asked" in done.err
    questions.write_text(json.dumps([{**TRUE[0], "vid_name": "long"}, {**TRUE[1], "vid_name": "longer"}]))
    assert ask().refused("none about 'short'")


def test_detector_and_encoder_reach_the_answerer(ask: Run, server: Server) -> None:
    assert ask("--detector", "onnx:x.onnx", "--image-text", "clip").code == 0
    assert [(setup.detector, setup.image_text) for setup in server.setups] == [("onnx:x.onnx", "clip")]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--questions", "q.json", "--question", "Who ?"), "leave --question and --answer out"),
        (("--questions", "q.json", "--json"), "give --json-lines -"),
        (("--questions", "no.json"), "no.json: no such file"),
        (("--questions", "q.json", "--json-lines", "q.json"), "is read by this command"),
        (("--questions", "q.json", "--json-lines", "."), "is a folder"),
        (
            ("--question", "Who ?", "--answer", "a", "--answer", "b", "--json-lines", "x"),
            "give one with --questions",
        ),
        (("--answer", "a"), "there is no question; give one with --question"),
        ((), "there is no question; give one with --question and --answer"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    run: Run,
    short_film: Path,
    questions: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(questions.parent)
    done = run("ask", short_film, *arguments, "--model", "nowhere")
    assert done.refused(reason), done
    assert json.loads(questions.read_text()) == TRUE


def test_a_line_that_was_being_written_is_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", {"by": "x"})
    assert not journal.is_there
    journal.keep("1", {"a": 1})
    journal.keep("2", {"a": 2})
    journal.close()
    path = tmp_path / "out.unfinished"
    whole = path.read_bytes()
    for cut in (1, 3, len(whole) - len(whole.splitlines(keepends=True)[0]), len(whole) - 5):
        path.write_bytes(whole[:-cut])
        again = Journal(tmp_path / "out", {"by": "x"})
        assert again.found == ({"1": {"a": 1}} if cut < 10 else {})
        again.keep("3", 3)
        again.close()
        resumed = Journal(tmp_path / "out", {"by": "x"})
        assert resumed.found == again.found | {"3": 3}
        resumed.close()


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.unfinished"
    for content in ("my notes", "my notes\n", '{"format":"stage unfinished 1"}\n'):
        path.write_text(content)
        with pytest.raises(Exception, match="another command"):
            Journal(tmp_path / "out", {"by": "x"})
        assert path.read_text() == content


def test_two_processes_do_not_keep_results_in_one_file(tmp_path: Path) -> None:
    first = Journal(tmp_path / "out", {})
    first.keep("1", 1)
    with pytest.raises(Exception, match="another process"):
        Journal(tmp_path / "out", {})
    first.close()
