"""Undoing, saving and storing the work on an annotation page, in a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples.browser import Annotator, Screen
from samples.collecting import QUESTION, written
from stage.annotation.questions import read_questions, write_questions
from stage.collecting.merging import merge
from stage.collecting.task import Task
from stage.types import Box

SECOND = replace(QUESTION, qid=6, text="Where is Leo ?", answers=("At home .", "At work ."), span=(4.0, 5.0))
THIRD = replace(
    QUESTION, qid=7, text="What did they plan ?", answers=("A trip .", "Nothing ."), span=(2.0, 3.0)
)


@pytest.fixture
def three(tmp_path: Path, collecting_task: Task) -> Path:
    """A page with three questions: four words in three frames, one word in one frame, and the last with "plan"."""
    return written(tmp_path, collecting_task, QUESTION, SECOND, THIRD)


def test_undo_shows_the_frame_that_it_changes(screen: Screen, three: Path) -> None:
    at_work = Annotator(screen, three)
    at_work.click("right")
    at_work.draw((40, 20), (70, 40))
    at_work.click("on")
    at_work.draw((80, 10), (90, 30))
    at_work.click("on")
    assert at_work.boxes() == []
    at_work.click("undo")
    assert at_work.text("time") == "frame 2 of 3, at 4.3 s"
    assert at_work.boxes() == []
    at_work.click("back")
    assert len(at_work.boxes()) == 1  # still there
    at_work.click("on")
    at_work.click("undo")
    assert at_work.text("time") == "frame 1 of 3, at 2.3 s"
    assert at_work.boxes() == []
    at_work.click("undo")
    assert at_work.shown("when-panel")
    assert at_work.text("index").count("to do") == 3
    at_work.press("z")  # nothing is left
    assert at_work.shown("when-panel")


def test_undo_does_not_reach_into_another_question(desktop: Screen, three: Path) -> None:
    at_work = Annotator(desktop, three)
    at_work.type("start", "0.5")
    at_work.press("n", "z", "p")
    assert at_work.span == (0.5, 6.5)


def test_saving_says_what_is_incomplete_and_left_out(screen: Screen, three: Path) -> None:
    at_work = Annotator(screen, three)
    at_work.click("save")
    assert "There is nothing to save yet" in at_work.text("unfinished")
    assert not at_work.shown("save-anyway")
    at_work.press("n", "]")  # the keys of the page, which is covered
    assert at_work.text("number") == "Question 1 of 3"
    assert at_work.span == (1, 6.5)
    at_work.press("Escape")
    at_work.click("right")
    at_work.finish_frame()
    at_work.click("next")
    at_work.finish_question()
    at_work.click("save")
    assert "The file will contain 2 of 3 questions" in at_work.text("missing-summary")
    missing = at_work.page.locator("#missing li")
    assert [" ".join(text.split()) for text in missing.all_inner_texts()] == [
        "Question 1: What is Mia holding when Leo plays the guitar? left out: 2 of 3 frames, unfinished",
        "Question 3: What did they plan? left out: its span is not confirmed",
    ]
    saved = at_work.save("save-anyway")
    assert [(q["qid"], q["finished"], list(q["frames"])) for q in saved["questions"]] == [
        (5, False, ["7"]), (6, True, ["13"]),
    ]  # fmt: skip
    assert at_work.text("kept") == "saved: film.done.json, 2 questions unfinished"
    at_work.click("save")
    missing.last.locator("button").click()
    assert at_work.text("number") == "Question 3 of 3"


def test_the_last_question_leads_to_those_that_are_unfinished(screen: Screen, three: Path) -> None:
    at_work = Annotator(screen, three)
    at_work.click("next")
    at_work.click("next")
    at_work.finish_question()
    assert at_work.text("forward").startswith("Go to question 1, which is unfinished")
    at_work.click("forward")
    assert at_work.text("number") == "Question 1 of 3"
    at_work.finish_question()
    assert at_work.text("forward").startswith("Next question")
    at_work.click("forward")
    at_work.finish_question()
    assert at_work.text("progress") == "3 of 3 done"
    assert at_work.text("forward").startswith("All questions are done: save")
    saved = at_work.save("forward")
    assert [q["finished"] for q in saved["questions"]] == [True] * 3


def test_a_saved_file_is_merged_as_it_was_drawn(desktop: Screen, tmp_path: Path, three: Path) -> None:
    at_work = Annotator(desktop, three)
    at_work.type("end", "3")
    at_work.click("right")
    at_work.draw((40, 20), (70, 40))
    drawn = at_work.boxes()[0]
    at_work.finish_frame()
    at_work.click("save")
    with at_work.page.expect_download() as download:
        at_work.click("save-anyway")
    download.value.save_as(tmp_path / "done.json")
    write_questions(tmp_path / "questions.json", [QUESTION, SECOND, THIRD])
    merged = merge(read_questions(tmp_path / "questions.json"), [tmp_path / "done.json"])
    (question,) = merged.questions
    label, left, top, width, height = drawn
    assert question.boxes == {7: (Box(left, top, left + width, top + height, label),)}
    assert question.span == (1, 3)
    assert not merged.issues.by_kind


def test_work_continues_where_it_was_left(screen: Screen, three: Path) -> None:
    at_work = Annotator(screen, three)
    at_work.click("next")
    at_work.click("right")
    at_work.draw((40, 20), (70, 40))
    boxes = at_work.boxes()
    assert at_work.text("number") == "Question 2 of 3"
    at_work.reload()
    assert at_work.text("number") == "Question 2 of 3"
    assert at_work.boxes() == boxes
    assert not at_work.shown("notice")


def test_a_corrected_span_is_taken_and_that_is_said(
    desktop: Screen, tmp_path: Path, collecting_task: Task
) -> None:
    page = written(tmp_path, collecting_task, QUESTION, SECOND)
    at_work = Annotator(desktop, page)
    at_work.type("start", "1.5")
    at_work.finish_question()
    written(tmp_path, collecting_task, replace(QUESTION, span=(2.0, 5.5)), SECOND)
    at_work.reload()
    assert at_work.text("notice") == "1 question changed since you worked here: check it again."
    assert "check again" in at_work.text("index")
    assert at_work.shown("when-panel")
    assert at_work.span == (2, 5.5)
    said = "The original span was corrected (before: 1.0 to 6.5 s), and the new one is set. You had set 1.5 to 6.5 s."
    assert at_work.text("replaced-text") == said
    at_work.click("save")
    assert "its span must be confirmed again" in at_work.text("missing")
    at_work.click("continue")
    at_work.click("own-span")
    assert at_work.span == (1.5, 6.5)
    at_work.press("z")
    assert at_work.span == (2, 5.5)
    at_work.click("right")
    assert not at_work.shown("notice")
    assert "1 of 2 done" in at_work.text("progress")  # what was marked is kept
    at_work.reload()
    assert at_work.span == (2, 5.5)
    assert not at_work.shown("notice")


def test_a_changed_question_or_film_is_said_and_its_boxes_are_kept(
    desktop: Screen, tmp_path: Path, collecting_task: Task
) -> None:
    page = written(tmp_path, collecting_task, QUESTION)
    at_work = Annotator(desktop, page)
    at_work.click("right")
    at_work.draw((40, 20), (70, 40))
    boxes = at_work.boxes()
    written(tmp_path, collecting_task, replace(QUESTION, text="What does Mia hold ?"))
    at_work.reload()
    assert at_work.text("replaced-text").startswith("This question or its answer was changed")
    at_work.click("right")
    assert at_work.boxes() == boxes
    other = replace(collecting_task, opened=replace(collecting_task.opened, fingerprint="another"))
    written(tmp_path, other, replace(QUESTION, text="What does Mia hold ?"))
    at_work.reload()
    assert at_work.text("replaced-text").startswith("The film was replaced")


def test_work_on_a_film_of_another_size_is_mentioned(
    desktop: Screen, tmp_path: Path, collecting_task: Task
) -> None:
    at_work = Annotator(desktop, written(tmp_path, collecting_task))
    at_work.click("right")
    opened = collecting_task.opened
    larger = replace(collecting_task, opened=replace(opened, clip=replace(opened.clip, width=320, height=96)))
    written(tmp_path, larger)
    at_work.reload()
    assert "in another length or size" in at_work.text("notice")
    assert at_work.shown("when-panel")


def test_two_tabs_keep_each_other_s_work(desktop: Screen, three: Path) -> None:
    one, other = Annotator(desktop, three), Annotator(desktop, three)
    one.press("Enter")
    one.draw((40, 20), (70, 40))
    other.press("n", "Enter", "x")
    one.draw((80, 10), (90, 30))
    assert len(one.boxes()) == 2
    one.wait("progress", "1 of 3 done")
    one.settle()
    other.press("p")
    assert other.boxes() == one.boxes()
    other.press("ArrowRight")  # another frame of the same question
    other.draw((10, 10), (30, 30))
    other.settle()
    one.draw((100, 10), (130, 30))
    one.page.close()
    other.reload()
    assert len(other.boxes()) == 1
    other.press("ArrowLeft")
    assert len(other.boxes()) == 3


def test_what_somebody_is_typing_stays_when_another_tab_changes_something(
    desktop: Screen, three: Path
) -> None:
    one, other = Annotator(desktop, three), Annotator(desktop, three)
    one.page.locator("#end").fill("")
    one.press("7")
    other.press("n", "Enter", "x")
    one.wait("progress", "1 of 3 done")
    one.press(".", "5", "Enter")
    assert one.span == (1, 7.5)
    one.type("end", "600")
    assert one.span == (1, 8)


def test_a_tab_that_heard_nothing_of_the_other_keeps_its_work_all_the_same(
    desktop: Screen, three: Path
) -> None:
    desktop.context.add_init_script(
        "const listen = EventTarget.prototype.addEventListener;"
        "EventTarget.prototype.addEventListener = function (type, ...rest) {"
        "  if (!['storage', 'visibilitychange'].includes(type)) listen.call(this, type, ...rest); };"
    )
    one, other = Annotator(desktop, three), Annotator(desktop, three)
    one.press("Enter")
    other.press("n", "Enter")
    one.draw((40, 20), (70, 40))
    one.settle()
    other.press("p")
    other.draw((80, 10), (90, 30))
    assert len(other.boxes()) == 2
    other.settle()
    one.click("save")
    assert [q["qid"] for q in one.save("save-anyway")["questions"]] == [5, 6]


def test_that_a_browser_stores_nothing_is_said(desktop: Screen, three: Path) -> None:
    desktop.context.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); };")
    at_work = Annotator(desktop, three)
    at_work.click("right")
    at_work.draw((40, 20), (70, 40))
    at_work.draw((80, 10), (90, 30))
    assert len(at_work.boxes()) == 2
    assert at_work.text("kept") == "not stored: save before you close this page"
    at_work.click("save")
    assert at_work.save("save-anyway")["questions"][0]["qid"] == 5
