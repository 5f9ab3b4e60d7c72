"""Files of questions are read in every layout that people write, and what can't be read is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.refusals import refused
from stage.inference.asked import Asked
from stage.inference.question_files import of_film, parsed, read_asked
from stage.types import Question

WHO = Question(1, "", "Who is it ?", ("Mia .", "Leo ."))


def read(path: Path, content: str | bytes) -> list[Asked]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_asked(path)[0]


def test_a_list_in_the_layout_of_tvqa_plus_keeps_ids_and_labels(tmp_path: Path) -> None:
    entry = {
        "qid": "q-7",
        "vid_name": "film",
        "q": "Who is it ?",
        "a0": "Mia .",
        "a1": "Leo .",
        "answer_idx": "1",
    }
    boxes = {"7": [{"img_id": 7, "label": "Leo", "left": 1, "top": 2, "width": 3, "height": 4}]}
    (asked,) = read(tmp_path / "q.json", json.dumps([entry | {"ts": [1, 2.5], "bbox": boxes}]))
    assert asked.id == "q-7"
    assert (asked.question.clip, asked.question.answers) == ("film", WHO.answers)
    assert (asked.question.answer_index, asked.question.span) == (1, (1.0, 2.5))
    assert asked.question.boxes[7][0].corners == (1, 2, 4, 6)


ROWS = {
    "json": '[{"question": "Who is it ?", "answers": ["Mia .", "Leo ."]}]',
    "a list under another name": '[{"q": "Who is it ?", "a0": "Mia .", "a1": "Leo ."}]',
    "lines": '{"q": "Who is it ?", "a0": "Mia .", "a1": "Leo ."}\n\n',
    "csv": "question,answer1,answer2\nWho is it ?,Mia .,Leo .\n",
    "csv of one column of answers": "question,answers\nWho is it ?,Mia . | Leo .\n",
    "csv of one column called answer": "Question,Answer\nWho is it ?,Mia .|Leo .\n",
    "csv of tvqa": "q,a0,a1\r\nWho is it ?,Mia .,Leo .\r\n\r\n",
    "csv with semicolons": 'question;answer 1;answer 2;answer 3\n"Who is it ?";"Mia .";"Leo .";\n',
    "csv with tabs": "question\tanswer_1\tanswer_2\nWho is it ?\tMia .\tLeo .\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("layout", ROWS)
def test_every_layout_gives_the_same_question(tmp_path: Path, layout: str, encoding: str) -> None:
    suffix = ".csv" if layout.startswith("csv") else ".json"
    for name in (f"q{suffix}", "q.txt"):
        assert read(tmp_path / name, ROWS[layout].encode(encoding)) == [Asked(1, WHO)]


def test_numbers_of_answers_may_differ_and_none_is_for_those_who_answer_freely(tmp_path: Path) -> None:
    text = "id,question,answer1,answer2,answer3\nx,Who ?,a,b,c\ny,What ?,a,b,\nz,Why ?,,,\n"
    assert [len(asked.question.answers) for asked in read(tmp_path / "q.csv", text)] == [3, 2, 0]


def test_labels_of_a_csv_are_read_and_other_columns_named(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('qid,q,a0,a1,answer_idx,ts,mood\n7,Who ?,a,b,1,1.5-3,good\n8,Who ?,a,b,,"[2, 4]",bad\n')
    questions, notes = read_asked(path)
    assert [asked.id for asked in questions] == ["7", "8"]
    assert [asked.question.answer_index for asked in questions] == [1, None]
    assert [asked.question.span for asked in questions] == [(1.5, 3), (2, 4)]
    assert notes == (f"{path}: not read: 1 column mood",)


def test_another_encoding_is_guessed_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("question,answers\nWho is Zoë ?,Zoë|Ana\n".encode("cp1252"))
    (asked,), notes = read_asked(path)
    assert asked.question.text == "Who is Zoë ?"
    assert "read as cp1252" in notes[0]


def entry(more: str = "") -> str:
    """A question as JSON, with more keys."""
    return '{"q": "Who ?", "a0": "a", "a1": "b"' + more + "}"


FAULTS = {
    "": "has no questions",
    "[]": "has no questions",
    "[": "is not JSON",
    "[1]": "question 1: is 1; it must be an object",
    '[{"a0": "a", "a1": "b"}]': "question 1: question is missing",
    '[{"q": 5, "a0": "a", "a1": "b"}]': "question is 5, not a text",
    '[{"q": "Who ?", "a0": "a", "a1": 1}]': "an answer is 1, which is not a string",
    '[{"q": "Who ?", "a0": "a", "a2": "b"}]': "the numbers of its answers, a0, a2, have gaps",
    '[{"q": "Who ?", "answers": "a"}]': "its answers are 'a'; write a list",
    '[{"q": "Who ?", "answers": ["x"], "a0": "a"}]': "both a list of answers and numbered ones",
    '[{"q": "Who ?", "answer_idx": 0}]': "answer_idx names one of 0 candidate answers",
    "[" + entry(', "answer_idx": 2') + "]": "answer_idx is 2, but there are 2 answers",
    "[" + entry(', "id": NaN') + "]": "its id is nan",
    "[" + entry(', "id": true') + "]": "its id is True",
    "[" + entry(', "id": [1]') + "]": "its id is [1]",
    "[" + entry(', "ts": [3, 1]') + "]": "can't end before it starts",
    "[" + entry(', "ts": [0, 1e99]') + "]": "seconds below",
    "[" + entry(', "vid_name": 3') + "]": "vid_name is 3",
    "[" + entry(', "id": 1') + "," + entry(', "id": "1"') + "]": "every id must be unique",
    "[" + entry(', "id": 2') + "," + entry("") + "]": "every id must be unique",
    entry() + "\nno\n": "line 2: is not JSON",
    '{\n"q": "Who ?"\n}\n': "one JSON object over several lines",
    '[{"q": "Who \\ud83d ?", "a0": "a", "a1": "b"}]': "half a character",
    "who,what\na,b\n": "has no column named question, but 'who', 'what'",
    "question,answers\nWho ?,a|b,c\n": "line 2: has 3 cells for 2 columns",
    "question,question\nWho ?,a\n": "two columns are named 'question'",
    'question,answers\n"Who ?,a|b\n': "is not CSV",
    "question\n" + "x" * (2**20 + 1): "is not CSV",
    "\0\0\0\0": "is not text",
}


@pytest.mark.parametrize("content", FAULTS, ids=range(len(FAULTS)))
def test_files_that_can_not_be_read_are_refused_with_the_reason(tmp_path: Path, content: str) -> None:
    path = tmp_path / "q.txt"
    path.write_text(content)
    reason = refused(lambda: read_asked(path)) or ""
    assert reason.startswith(str(path))
    assert FAULTS[content] in reason


def of_clips(*clips: str) -> list[Asked]:
    return [Asked(i, Question(i, clip, "Who ?", ("a", "b"))) for i, clip in enumerate(clips)]


def test_questions_about_other_films_are_left_out_and_counted() -> None:
    path = Path("q.json")
    kept, notes = of_film(of_clips("film", "other", "", "third"), ("film", "film.mp4"), path)
    assert [asked.id for asked in kept] == [0, 2]
    assert notes == ("q.json: 2 of 4 questions are about other clips and are not asked",)
    assert of_film(of_clips("film.mp4"), ("film", "film.mp4"), path)[1] == ()
    assert of_film(of_clips("", ""), ("film",), path) == (of_clips("", ""), ())


def test_questions_about_one_other_clip_are_asked_with_a_note_and_about_several_refused() -> None:
    path = Path("q.json")
    kept, notes = of_film(of_clips("other", "other", ""), ("film",), path)
    assert len(kept) == 3
    assert "about the clip 'other'; they are asked about this film all the same" in notes[0]
    assert "2 clips ('other', 'third'), and none about 'film'" in (
        refused(lambda: of_film(of_clips("other", "third"), ("film",), path)) or ""
    )


def test_questions_in_python_are_pairs_mappings_or_questions() -> None:
    given = [("Who is it ?", ("Mia .", "Leo .")), {"q": "Who is it ?", "answers": list(WHO.answers)}, WHO]
    assert [asked.question.answers for asked in parsed(given)] == [WHO.answers] * 3
    assert next(parsed(["Who is it ?"])).question.answers == ()
    for wrong in (5, ("Who ?",), ("Who ?", "Mia"), {"answers": ["a", "b"]}):
        assert (refused(lambda wrong=wrong: list(parsed([wrong]))) or "").startswith("question 1: ")  # type: ignore[misc]
