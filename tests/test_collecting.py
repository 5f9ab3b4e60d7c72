"""Collecting a data set: nouns, the page on which people work, and the merging of what they have done."""

from __future__ import annotations

import gzip
import importlib.util
import json
import pickle
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from films import HEIGHT, WIDTH, number_of, write_film
from stage.annotation.checking import check_annotation
from stage.annotation.questions import read_questions, write_questions
from stage.collecting.merging import merge, mutual_iou
from stage.collecting.nouns import (
    Noun,
    concepts_of,
    count_nouns,
    nouns_of,
    read_nouns,
    read_tokenised,
    share_of_most_frequent,
    with_counts,
    write_nouns,
)
from stage.collecting.tagging import load_tagger, read_pickled_numbers
from stage.collecting.task import Task, make_task, open_clip, render_task
from stage.commands import main
from stage.errors import InputError
from stage.types import Box, Question

QUESTION = Question(
    5,
    "film",
    "What is Mia holding when Leo plays the guitar ?",
    ("A mug .", "A book for Mia ."),
    1,
    (1.0, 6.5),
)


@dataclass(frozen=True)
class WordList:
    """A tagger that knows its nouns by heart."""

    words: frozenset[str] = frozenset(("mia", "leo", "guitar", "mug", "book", "plan"))

    def nouns(self, words: Sequence[str]) -> list[bool]:
        return [word.lower() in self.words for word in words]


def test_nouns_are_those_of_the_question_and_its_right_answer() -> None:
    assert nouns_of(QUESTION, WordList()) == ["Mia", "Leo", "guitar", "book", "Mia"]


def test_nouns_are_counted_folded() -> None:
    other = replace(QUESTION, text="Has MIA a plan ?", answer_index=0)
    assert count_nouns([QUESTION, other], WordList()) == {
        "mia": 3, "leo": 1, "guitar": 1, "book": 1, "plan": 1, "mug": 1,
    }  # fmt: skip


def test_concepts_are_written_as_in_the_question_and_leave_out_what_was_judged_not_visual() -> None:
    assert concepts_of(QUESTION, WordList(), {}) == ("Mia", "Leo", "guitar", "book")
    assert concepts_of(QUESTION, WordList(), {"leo": Noun(1, visual=False), "mia": Noun(9)}) == (
        "Mia", "guitar", "book",
    )  # fmt: skip


def test_texts_of_tvqa_are_split_into_words_so_that_labels_are_among_them(tmp_path: Path) -> None:
    write_questions(tmp_path / "q.json", [replace(QUESTION, text="Where is Mia's guitar?")])
    (question,) = read_tokenised(tmp_path / "q.json")
    assert question.text == "Where is Mia 's guitar ?"
    assert nouns_of(question, WordList())[:2] == ["Mia", "guitar"]


def test_judgements_survive_a_new_count_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nouns.csv"
    write_nouns(path, {"mia": Noun(7), "time, late": Noun(9, visual=False)})
    assert path.read_text() == 'noun,count,visual\n"time, late",9,no\nmia,7,yes\n'
    path.write_text(path.read_text() + "plan,3,No\n")
    judged = read_nouns(path)
    found = with_counts({"mia": 8, "plan": 2, "mug": 1}, judged)
    assert found == {
        "mia": Noun(8), "plan": Noun(2, visual=False), "mug": Noun(1), "time, late": Noun(0, visual=False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no list of nouns"),
        ("word,number\n", "is no list of nouns"),
        (
            "noun,count,visual\nmia,2,yes\nleo,2,maybe\n",
            "line 3: visual is 'maybe' for 'leo'; write yes or no",
        ),
        ("noun,count,visual\nmia,many,yes\n", "line 2: is not a noun, its count"),
        ("noun,count,visual\nmia,2\n", "line 2: is not a noun, its count"),
        ("noun,count,visual\nmia,2,yes\nMia,2,no\n", "line 3: 'Mia' is there twice"),
    ],
)
def test_a_line_of_the_list_that_can_not_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "nouns.csv").write_text(text)
    with pytest.raises(InputError, match=rf"nouns\.csv.*{message}"):
        read_nouns(tmp_path / "nouns.csv")


def test_the_share_of_the_most_frequent_nouns_is_of_all_nouns_counted() -> None:
    counts = count_nouns([QUESTION], WordList())  # Mia twice, three others once
    assert share_of_most_frequent(counts, 1) == pytest.approx(2 / 5)
    assert share_of_most_frequent(counts, 600) == 1


def test_the_packaged_tagger_finds_people_and_things() -> None:
    if importlib.util.find_spec("HanTa") is None:
        pytest.skip("HanTa is not installed")
    question = replace(
        QUESTION,
        text="Where did Sheldon put the keys when Penny was opening the fridge door ?",
        answers=("On Leonard 's old desk .", "x"),
        answer_index=0,
    )
    found = nouns_of(question, load_tagger())
    assert found == ["Sheldon", "keys", "Penny", "fridge", "door", "Leonard", "desk"]


def test_a_tagger_that_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install HanTa, or give a model of transformers with --tagger"):
        load_tagger()


class Intruder:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit",))


def test_a_tagger_model_that_would_run_code_is_refused(tmp_path: Path) -> None:
    numbers = {"a": np.float64(0.5), "b": (1, "x")}
    with gzip.open(tmp_path / "model.pgz", "wb") as file:
        pickle.dump(numbers, file)
    assert read_pickled_numbers(tmp_path / "model.pgz") == numbers
    with gzip.open(tmp_path / "model.pgz", "wb") as file:
        pickle.dump([Intruder()], file)
    with pytest.raises(
        InputError, match=r"model\.pgz: is not the tagger's model \(it asks for builtins\.exec\)"
    ):
        read_pickled_numbers(tmp_path / "model.pgz")


PIECES = ["[UNK]", "mia", "plays", "gui", "##tar", "?"]


def tagger_folder(path: Path, nouns: Sequence[str], labels: Sequence[str]) -> Path:
    """A token classifier without layers that gives label 0 to some wordpieces and label 1 to all others."""
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[UNK]").save_pretrained(
        path
    )
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=2, num_hidden_layers=0, num_attention_heads=1, intermediate_size=2,
        max_position_embeddings=16, id2label=dict(enumerate(labels)),
    )  # fmt: skip
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1)
        for i, piece in enumerate(PIECES):
            model.bert.embeddings.word_embeddings.weight[i, 0 if piece in nouns else 1] = 1
        model.classifier.weight.copy_(torch.eye(2))
    model.save_pretrained(path)
    return path


@pytest.mark.parametrize("labels", [("PROPN", "VERB"), ("NNP", "VBZ"), ("B-NOUN", "O")])
def test_a_token_classifier_of_transformers_is_a_tagger(tmp_path: Path, labels: Sequence[str]) -> None:
    tagger = load_tagger(str(tagger_folder(tmp_path / "tagger", ["mia", "gui"], labels)))
    # A word has the tag of its first piece: ##tar is tagged as no noun.
    assert tagger.nouns(["mia", "plays", "guitar", "?"]) == [True, False, True, False]
    assert tagger.nouns([]) == []


def test_a_token_classifier_that_knows_no_nouns_is_refused(tmp_path: Path) -> None:
    folder = tagger_folder(tmp_path / "tagger", [], ("PER", "LOC"))
    with pytest.raises(InputError, match=r"says PER, LOC\.\. of a word; a tagger must say NOUN"):
        load_tagger(str(folder))
    with pytest.raises(InputError, match="no such tagger"):
        load_tagger(str(tmp_path / "none"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds with a subtitle file beside it."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "film.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nMia: It's </script> here!\n")
    return write_film(folder / "film.mp4", [Fraction(i, 12) for i in range(96)], rate=12)


@pytest.fixture(scope="module")
def made(film: Path) -> Task:
    clip, pictures = open_clip(film, film.with_suffix(".srt"))
    return make_task(clip, pictures, [QUESTION, replace(QUESTION, qid=6, clip="other")], WordList(), {})


def content(html: str) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="task">(.*?)</script>', html, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_the_page_holds_a_picture_a_second_and_the_frames_that_stage_looks_at(made: Task) -> None:
    task = content(render_task(made))
    assert sorted(map(int, task["pictures"])) == [1, 4, 7, 10, 13, 16, 19, 22]
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in task["pictures"].values())
    assert len(set(task["pictures"].values())) == 8
    # 12 pictures a second, and frame k shows second k / 3.
    assert {frame: number_of(picture) for frame, picture in made.pictures.items()} == {
        frame: 4 * frame for frame in (1, 4, 7, 10, 13, 16, 19, 22)
    }
    assert (task["width"], task["height"], task["frame_count"], task["duration"]) == (WIDTH, HEIGHT, 24, 8)
    (question,) = task["questions"]
    assert question["frames"] == [1, 7, 13, 19]
    assert question["span"] == [1, 6.5]
    assert [c["label"] for c in question["concepts"]] == ["Mia", "Leo", "guitar", "book"]
    assert question["answer"] == "A book for Mia."


def test_frames_are_the_same_whatever_was_annotated_before(made: Task) -> None:
    annotated = replace(QUESTION, boxes={10: (Box(0, 0, 9, 9, "Mia"),)})
    task = make_task(made.clip, made.pictures, [annotated], WordList(), {})
    assert content(render_task(task))["questions"][0]["frames"] == [1, 7, 13, 19]


def test_the_page_loads_nothing_and_texts_can_not_become_markup(made: Task) -> None:
    question = replace(QUESTION, text="Is <b> Mia </b> here ?")
    html = render_task(replace(made, questions=(question,)))
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", html)
    assert html.count("</script>") == 2
    assert "<b> Mia" not in html
    assert content(html)["questions"][0]["question"] == "Is <b> Mia </b> here?"
    assert content(html)["sentences"][0]["start"] == 1


def test_every_element_that_the_script_asks_for_is_on_the_page(made: Task) -> None:
    html = render_task(made)
    (buttons,) = re.findall(r"const buttons = {(.*?)};", html, re.DOTALL)
    asked = {*re.findall(r'\$\("([\w-]+)"\)', html), *re.findall(r'"([\w-]+)":', buttons)}
    assert len(asked) > 25
    assert asked <= set(re.findall(r' id="([\w-]+)"', html))


def test_work_is_kept_under_the_name_of_clip_and_questions_whatever_their_nouns(made: Task) -> None:
    fewer = replace(made, concepts=(("Mia",),))
    other = replace(made, questions=(replace(QUESTION, text="Where is Mia ?"),))
    keys = [content(render_task(task))["key"] for task in (made, fewer, other)]
    assert keys[0] == keys[1] != keys[2]


def test_a_folder_of_frames_is_a_clip_whose_boxes_are_in_its_own_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    for number in range(1, 15):
        cv2.imwrite(str(folder / f"{number:05}.png"), np.full((400, 800, 3), 10 * number, np.uint8))
    clip, pictures = open_clip(folder, None)
    assert (clip.name, clip.width, clip.height, clip.frame_count) == ("film", 800, 400, 14)
    assert list(pictures) == [1, 4, 7, 10, 13]


def test_a_film_that_no_question_is_about_and_a_question_without_an_answer_are_named(made: Task) -> None:
    with pytest.raises(InputError, match="film: no question is about it"):
        make_task(made.clip, made.pictures, [replace(QUESTION, clip="other")], WordList(), {})
    with pytest.raises(InputError, match="question 5: its right answer is not known"):
        make_task(made.clip, made.pictures, [replace(QUESTION, answer_index=None)], WordList(), {})
    with pytest.raises(InputError, match="film: has none of the frames 1, 7, 13"):
        make_task(made.clip, {4: made.pictures[4]}, [QUESTION], WordList(), {})


def box(
    label: str, left: float = 10, top: float = 8, width: float = 40, height: float = 20
) -> dict[str, Any]:
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def saved(path: Path, task: dict[str, Any], **changes: Any) -> Path:
    """As the page saves its work when question 5 is done."""
    frames = {
        "7": {"boxes": [box("Mia"), box("book", 60)], "not_visible": ["Leo", "guitar"]},
        "13": {"boxes": [], "not_visible": ["Mia", "Leo", "guitar", "book"]},
    }
    question = {"qid": 5, "span": [1.4, 5.2], "frames": frames, "finished": True} | changes
    head = {key: task[key] for key in ("format", "clip", "width", "height", "frame_count")}
    path.write_text(json.dumps(head | {"questions": [question]}))
    return path


def test_what_was_done_on_a_page_becomes_an_annotation(tmp_path: Path, made: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(made)))
    merged = merge([QUESTION, replace(QUESTION, qid=6)], [done])
    write_questions(tmp_path / "annotation.json", merged.questions)
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question == replace(
        QUESTION, span=(1.4, 5.2), boxes={7: (Box(10, 8, 50, 28, "Mia"), Box(60, 8, 100, 28, "book")), 13: ()}
    )
    assert not merged.findings.found
    _, findings = check_annotation(tmp_path / "annotation.json")
    assert list(findings.found) == ["frames without boxes"]
    raw = json.loads((tmp_path / "annotation.json").read_text())[0]["bbox"]["7"][0]
    assert raw == {"img_id": 7, "label": "Mia", "left": 10, "top": 8, "width": 40, "height": 20}


def test_questions_that_nobody_did_are_kept_if_asked_for(tmp_path: Path, made: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(made)))
    other = replace(QUESTION, qid=4)
    assert [q.qid for q in merge([other, QUESTION], [done]).questions] == [5]
    assert merge([other, QUESTION], [done], rest=True).questions[0] == other


def test_odd_work_is_told_and_taken(tmp_path: Path, made: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(made)), span=[4, 5], finished=False)
    merged = merge([QUESTION], [done])
    assert set(merged.questions[0].boxes) == {7, 13}
    assert set(merged.findings.found) == {
        "frames outside the refined span", "questions with frames that were not looked at",
    }  # fmt: skip
    assert merged.findings.found["frames outside the refined span"] == [f"frame 7, {done}, question 5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qid": 9}, "question 9: is not among the questions"),
        ({"span": [5, 3]}, "question 5: its span is 5 to 3 s; a span must end after it starts"),
        ({"span": [-1, 3]}, "question 5: its span is -1 to 3 s"),
        ({"span": [30, 33]}, "question 5: its span starts at 30 s, past the clip's end"),
        ({"span": [3]}, "question 5, span"),
        ({"span": None}, "question 5, span"),
        ({"frames": {"30": {"boxes": []}}}, "question 5: has a frame 30; the clip has frames 1 to 24"),
        ({"frames": {"x": {"boxes": []}}}, "question 5, frames"),
        ({"frames": {"7": {"boxes": [box("Mia", left=150)]}}},
         "question 5: the box of 'Mia' in frame 7 reaches out of the picture \\(160 x 48\\)"),
        ({"frames": {"7": {"boxes": [box("Mia", top=-1)]}}}, "question 5: the box of 'Mia' in frame 7 reaches"),
        ({"frames": {"7": {"boxes": [box("Mia", width=0)]}}}, "question 5, frames.7.boxes.0.width"),
        ({"frames": {"7": {"boxes": [box("Zoe")]}}}, "question 5: 'Zoe' is no word of it"),
        ({"extra": 1}, "question 5, extra"),
    ],
)  # fmt: skip
def test_work_that_can_not_be_is_named_with_file_and_question(
    tmp_path: Path, made: Task, changes: dict[str, Any], message: str
) -> None:
    done = saved(tmp_path / "done.json", content(render_task(made)), **changes)
    with pytest.raises(InputError, match=rf"done\.json, {message}"):
        merge([QUESTION], [done])


def test_files_that_no_page_saved_or_that_are_given_twice_are_named(tmp_path: Path, made: Task) -> None:
    done = saved(tmp_path / "done.json", content(render_task(made)))
    with pytest.raises(InputError, match="given twice"):
        merge([QUESTION], [done, done])
    with pytest.raises(InputError, match="question 5: is about 'elsewhere', not 'film'"):
        merge([replace(QUESTION, clip="elsewhere")], [done])
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InputError, match=r"list\.json: was not saved by a page"):
        merge([QUESTION], [tmp_path / "list.json"])


def test_of_several_the_first_counts_and_their_agreement_is_told(tmp_path: Path, made: Task) -> None:
    task = content(render_task(made))
    first = saved(tmp_path / "a.json", task)
    frames = {"7": {"boxes": [box("Mia", left=30), box("Leo")]}, "19": {"boxes": [box("book")]}}
    second = saved(tmp_path / "b.json", task, span=[3.2, 7.2], frames=frames)
    merged = merge([QUESTION], [first, second])
    assert merged.questions[0].span == (1.4, 5.2)
    (two,) = merged.agreements
    assert two.files == (first, second)
    assert two.span == pytest.approx(2.0 / 5.8)
    # Frame 7 alone was looked at by both: Mia's boxes share half their width, of the others one has none.
    assert two.boxes == pytest.approx({"mia": 20 / 60, "book": 0, "leo": 0})


def test_boxes_of_two_people_are_paired_those_that_overlap_most_first() -> None:
    one = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]
    assert mutual_iou(one, one[::-1]) == 1
    assert mutual_iou(one, [Box(20, 0, 30, 5)]) == pytest.approx(0.5 / 2)
    assert mutual_iou([], one) == 0


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `stage collect` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["stage", "collect", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_commands_lead_from_questions_to_an_annotation(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tagger = tagger_folder(tmp_path / "tagger", ["mia", "gui"], ("NOUN", "VERB"))
    questions, nouns, pages = tmp_path / "questions.json", tmp_path / "nouns.csv", tmp_path / "pages"
    write_questions(questions, [replace(QUESTION, text="mia plays guitar ?", answers=("?", "mia"))])
    assert run(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert "3 nouns, 2 of them distinct" in capsys.readouterr().out
    nouns.write_text(nouns.read_text().replace("guitar,1,yes", "guitar,1,no"))
    assert run(monkeypatch, "nouns", questions, nouns, "--tagger", tagger) == 0
    assert read_nouns(nouns) == {"mia": Noun(2), "guitar": Noun(1, visual=False)}

    other = film.rename(film.with_name("other.mp4"))
    assert run(monkeypatch, "task", questions, other, pages, "--tagger", tagger) == 2
    other.rename(film)
    assert run(monkeypatch, "task", questions, film, pages, "--nouns", nouns, "--tagger", tagger) == 0
    task = content((pages / "film.html").read_text())
    assert [c["label"] for c in task["questions"][0]["concepts"]] == ["mia"]

    done = saved(tmp_path / "done.json", task, frames={"7": {"boxes": [box("mia")]}})
    assert run(monkeypatch, "merge", questions, done, tmp_path / "annotation.json") == 0
    (question,) = read_questions(tmp_path / "annotation.json")
    assert question.boxes == {7: (Box(10, 8, 50, 28, "mia"),)}
    # Without a file to write, the last one that was saved is not written over.
    kept = saved(tmp_path / "kept.json", task).read_text()
    assert run(monkeypatch, "merge", questions, done, tmp_path / "kept.json") == 2
    assert (tmp_path / "kept.json").read_text() == kept
