"""The page on which a person refines spans and draws boxes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from films import HEIGHT, WIDTH, number_of
from samples.collecting import QUESTION, WordList, content
from stage.collecting.task import Task, make_task, render_task
from stage.errors import InputError
from stage.types import Box, Question


def test_the_page_contains_a_frame_per_second_and_those_that_stage_reads(collecting_task: Task) -> None:
    task = content(render_task(collecting_task))
    assert sorted(map(int, task["pictures"])) == [1, 4, 7, 10, 13, 16, 19, 22]
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in task["pictures"].values())
    assert len(set(task["pictures"].values())) == 8
    # The film has 12 images per second, and frame k is the one at k / 3 seconds.
    assert {frame: number_of(picture) for frame, picture in collecting_task.opened.images.items()} == {
        frame: 4 * frame for frame in (1, 4, 7, 10, 13, 16, 19, 22)
    }
    assert (task["width"], task["height"], task["frame_count"], task["duration"]) == (WIDTH, HEIGHT, 24, 8)
    (question,) = task["questions"]
    assert question["frames"] == [1, 7, 13, 19]
    assert question["span"] == [1, 6.5]
    assert [c["label"] for c in question["concepts"]] == ["Mia", "Leo", "guitar", "book"]
    assert question["answer"] == "A book for Mia."


def test_frames_are_the_same_whatever_was_annotated_before(collecting_task: Task) -> None:
    annotated = replace(QUESTION, boxes={10: (Box(0, 0, 9, 9, "Mia"),)})
    task = make_task(collecting_task.opened, [annotated], WordList(), {})
    assert content(render_task(task))["questions"][0]["frames"] == [1, 7, 13, 19]


def test_the_page_loads_nothing_and_texts_can_not_become_markup(collecting_task: Task) -> None:
    question = replace(QUESTION, text="Is <b> Mia </b> </script><!-- here ?")
    html = render_task(replace(collecting_task, questions=(question,)))
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", html)
    assert html.count("</script>") == 2
    assert "<b> Mia" not in html
    assert content(html)["questions"][0]["question"] == "Is <b> Mia </b> </script><!-- here?"
    assert content(html)["sentences"][0]["start"] == 1


def test_spans_that_are_not_in_the_film_are_noted(collecting_task: Task) -> None:
    late = replace(collecting_task, questions=(replace(QUESTION, span=(20, 500)),))
    assert late.notes == ("question 5: its span is 20 to 500 s, but the film is 8.0 s long",)
    assert not collecting_task.notes


def test_a_film_that_no_question_is_about_and_a_question_without_an_answer_are_named(
    collecting_task: Task,
) -> None:
    def task(*questions: Question) -> Task:
        return make_task(collecting_task.opened, questions, WordList(), {})

    with pytest.raises(InputError, match="film: no question is about it"):
        task(replace(QUESTION, clip="other"))
    with pytest.raises(InputError, match="question 5: has no right answer"):
        task(replace(QUESTION, answer_index=None))
    unread = replace(collecting_task.opened, images={4: collecting_task.opened.images[4]})
    with pytest.raises(InputError, match="film: has none of the frames 1, 7, 13"):
        make_task(unread, [QUESTION], WordList(), {})
