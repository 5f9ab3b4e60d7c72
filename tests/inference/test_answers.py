"""Many answers are a sequence and a table, and answers show themselves in notebooks."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import stage
from samples.answerers import DOWN, Server, use
from samples.page import Page, evidence, with_truth
from samples.refusals import refused
from stage.inference.answers import ROW, Answers
from stage.inference.asked import Asked
from stage.inference.evidence_json import from_json, to_json
from stage.types import AnsweredBy, Question, TrackRecord

QUESTIONS: list[tuple[str, list[str]] | dict[str, object] | Question] = [
    ("Where is Mia ?", ["Here .", "There ."]),
    {
        "id": "x",
        "q": "Who is it ?",
        "a0": "Leo .",
        "a1": "Sam .",
        "a2": "Mia .",
        "answer_idx": 1,
        "ts": [1, 3],
    },
    Question(9, "another", "What is red ?", ("The mug .", "A hat ."), 0, (1.0, 2.0)),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path))
    return use(monkeypatch)


def test_several_questions_give_a_sequence_and_a_table(server: Server, short_film: Path) -> None:
    answers = stage.open(short_film, model="fake:x", detector="d").ask_all(QUESTIONS)
    assert server.setups[0].detector == "d"
    assert [evidence.answer for evidence in answers] == ["Here .", "Leo .", "The mug ."]
    assert answers.ids == (1, "x", 9)
    assert answers[1:].ids == ("x", 9)
    assert repr(answers) == "Answers(3 answers)"
    rows = answers.rows()
    assert all(tuple(row) == ROW for row in rows)
    assert [row["right"] for row in rows] == [None, False, True]
    assert [row["span_iou"] for row in rows] == [None, 0.5, 1.0]
    assert (rows[0]["start"], rows[0]["end"], rows[0]["words"], rows[0]["boxes"]) == (1.0, 2.0, "Mia", 1)
    assert all(isinstance(value, str | int | float | None) for row in rows for value in row.values())
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert list(pandas.DataFrame(rows).columns) == list(ROW)


def test_a_question_that_can_not_be_asked_is_named_before_any_is_asked(
    server: Server, short_film: Path
) -> None:
    film = stage.open(short_film, model="fake:x")
    reason = refused(lambda: film.ask_all([*QUESTIONS, ("Who ?", ["only one"])]))
    assert reason == "question 4: 1 candidate answer given; give two or more"
    assert not server.asked


def test_a_failure_in_between_costs_no_answer(server: Server, short_film: Path) -> None:
    server.broken = frozenset(["Who is it ?"])
    done: list[int] = []
    film = stage.open(short_film, model="fake:x")
    answers = film.ask_all(
        [QUESTIONS[0], ("Who is it ?", ["a", "b"]), QUESTIONS[2]],
        progress=lambda n, total, what: done.append(n),
    )
    assert [evidence.answer for evidence in answers] == ["Here .", "The mug ."]
    assert done == [1, 2, 3]
    assert repr(answers) == f"Answers(2 answers, 1 failed: {DOWN})"
    assert answers.rows()[2]["error"] == DOWN
    assert DOWN in answers._repr_html_()


def test_answers_that_are_written_freely_have_no_probability(server: Server, short_film: Path) -> None:
    film = stage.open(short_film, model="fake:free")
    (found,) = film.ask_all(["Who is at the door ?"])
    assert found == film.ask("Who is at the door ?") or found.free
    assert to_json(found)["probabilities"] == [None]
    assert to_json(found)["free"]
    row = Answers((found,), (1,)).rows()[0]
    assert (row["answer"], row["probability"], row["right"]) == ("<b>A man</b> - who else?", None, None)
    html = found._repr_html_() or ""
    assert "written freely" in html
    assert "%" not in Page(html).root.text
    assert "&lt;b&gt;A man&lt;/b&gt; - who else?" in html


def test_an_answer_shows_itself_with_one_picture_and_who_answered(server: Server, spoken_film: Path) -> None:
    film = stage.open(spoken_film, spoken_film.with_suffix(".srt"), model="fake:x")
    html = film.ask("Who is <script>alert(1)</script> here ?", ["Mia </div><b>", "Leo ."])._repr_html_() or ""
    page = Page(html).root
    assert len(page.all("img")) == 1
    assert page.one("img").attributes["src"].startswith("data:image/jpeg;base64,")
    assert not page.all("script")
    assert not page.all("b", "")[1:]  # the span alone
    assert "right on 41 of 100 questions (20 by luck)" in page.text
    assert "> 99 %" in page.text
    assert "100 %" not in page.text
    assert len(html) < 300_000
    for outside in ("http:", "https:", "<style", "<link", "onerror"):
        assert outside not in html


def test_an_answer_whose_film_has_gone_is_shown_without_a_picture(
    server: Server, short_film: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "film.mp4"
    copied.write_bytes(short_film.read_bytes())
    found = stage.open(copied, model="fake:x").ask("Who is here ?", ["a", "b"])
    copied.unlink()
    html = found._repr_html_() or ""
    assert "Who is here?" in html
    assert "<img" not in html


def test_what_shows_an_answer_is_no_part_of_it(server: Server, short_film: Path) -> None:
    found = stage.open(short_film, model="fake:x").ask("Who is here ?", ["a", "b"])
    assert found == replace(found, html=None)
    assert len({found, replace(found, html=None)}) == 1
    assert "html" not in repr(found)
    again = pickle.loads(pickle.dumps(found))
    assert again == found == copy.deepcopy(found)
    assert again._repr_html_() is None


def test_many_answers_are_shown_up_to_a_limit(server: Server, short_film: Path) -> None:
    answers = stage.open(short_film, model="fake:x").ask_all(
        [(f"Is it {i} ?", ["a", "b"]) for i in range(15)]
    )
    html = answers._repr_html_()
    assert html.count("<img") == 12
    assert "3 more; rows() has all of them" in html


def test_evidence_is_read_again_from_its_json() -> None:
    record = TrackRecord("films of one colour", 81, 0.41, 0.2, 0.38)
    for by in (None, AnsweredBy("x"), AnsweredBy("x", "it is here", record)):
        written = replace(with_truth(evidence()), answered_by=by, notes=("a note",))
        again = from_json(json.loads(json.dumps(to_json(written))), written.question, written.clip)
        # Boxes have the word as their label; the JSON form does not keep words without boxes.
        assert again == written
    free = replace(evidence(["A mug ."]), free=True)
    read = from_json(to_json(free), replace(free.question, answers=()), free.clip)
    assert (read.answer, read.free) == ("A mug .", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"answers": ["A mug ."]}, {"answer_index": 5}, {"spans": [[1, 2]]}, {"spans": 3}, {"moments": [1]},
        {"boxes": [{}]}, {"free": True}, {"probabilities": [None, 1]}, {"answered_by": {"name": "x"}},
    ],
)  # fmt: skip
def test_json_that_is_no_evidence_of_the_question_is_refused(changes: dict[str, object]) -> None:
    written = evidence()
    with pytest.raises(ValueError, match=r"is |has "):
        from_json(to_json(written) | changes, written.question, written.clip)


def test_evidence_is_shown_with_the_texts_as_they_were_written() -> None:
    asked = Asked("x", Question(0, "", "What's - Mia holding?", ("A (mug)", "A book")))
    shown = asked.shown(evidence())
    assert (shown.question.text, shown.answer) == ("What's - Mia holding?", "A (mug)")
    assert asked.shown(replace(evidence(), free=True)).answer == "A mug ."
