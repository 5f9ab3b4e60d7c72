"""Visual concepts: nouns, their counts, and judgements on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.collecting import QUESTION, WordList
from stage.annotation.questions import write_questions
from stage.collecting.nouns import (
    Noun,
    concepts_of,
    count_nouns,
    merge_judgements,
    nouns_of,
    read_nouns,
    read_tokenised_questions,
    share_of_most_frequent,
    write_nouns,
)
from stage.errors import InputError


def test_nouns_are_those_of_the_question_and_its_right_answer() -> None:
    assert nouns_of(QUESTION, WordList()) == ["Mia", "Leo", "guitar", "book", "Mia"]


def test_nouns_are_counted_folded() -> None:
    other = replace(QUESTION, text="Has MIA a plan ?", answer_index=0)
    assert count_nouns([QUESTION, other], WordList()) == {
        "mia": 3, "leo": 1, "guitar": 1, "book": 1, "plan": 1, "mug": 1,
    }  # fmt: skip


def test_concepts_are_written_as_in_the_question_and_exclude_what_was_judged_not_visual() -> None:
    assert concepts_of(QUESTION, WordList(), {}) == ("Mia", "Leo", "guitar", "book")
    assert concepts_of(QUESTION, WordList(), {"leo": Noun(1, visual=False), "mia": Noun(9)}) == (
        "Mia", "guitar", "book",
    )  # fmt: skip


def test_texts_of_tvqa_are_split_into_words_so_that_labels_are_among_them(tmp_path: Path) -> None:
    write_questions(tmp_path / "q.json", [replace(QUESTION, text="Where is Mia's guitar?")])
    (question,) = read_tokenised_questions(tmp_path / "q.json")
    assert question.text == "Where is Mia 's guitar ?"
    assert nouns_of(question, WordList())[:2] == ["Mia", "guitar"]


def test_judgements_survive_a_new_count_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nouns.csv"
    write_nouns(path, {"mia": Noun(7), "time, late": Noun(9, visual=False)})
    assert path.read_text() == 'noun,count,visual\n"time, late",9,no\nmia,7,yes\n'
    path.write_text(path.read_text() + "plan,3,No\n")
    judged = read_nouns(path)
    found = merge_judgements({"mia": 8, "plan": 2, "mug": 1}, judged)
    assert found == {
        "mia": Noun(8), "plan": Noun(2, visual=False), "mug": Noun(1), "time, late": Noun(0, visual=False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no table of nouns"),
        ("word,number\n", "is no table of nouns"),
        (
            "noun,count,visual\nmia,2,yes\nleo,2,maybe\n",
            "line 3: visual is 'maybe' for 'leo'; write yes or no",
        ),
        ("noun,count,visual\nmia,many,yes\n", "line 2: should be a noun, its count"),
        ("noun,count,visual\nmia,2\n", "line 2: should be a noun, its count"),
        ("noun,count,visual\nmia,2,yes\nMia,2,no\n", "line 3: 'Mia' occurs twice"),
    ],
)
def test_an_unreadable_line_of_the_list_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "nouns.csv").write_text(text)
    with pytest.raises(InputError, match=rf"nouns\.csv.*{message}"):
        read_nouns(tmp_path / "nouns.csv")


def test_the_share_of_the_most_frequent_nouns_is_of_all_nouns_counted() -> None:
    counts = count_nouns([QUESTION], WordList())  # Mia twice, three others once
    assert share_of_most_frequent(counts, 1) == pytest.approx(2 / 5)
    assert share_of_most_frequent(counts, 600) == 1
