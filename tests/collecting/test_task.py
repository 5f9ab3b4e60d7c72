"""The page on which a person refines spans and draws boxes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from films import HEIGHT, WIDTH, number_of
from samples.collecting import QUESTION, WordList, content
from stage.collecting.task import Task, make_task, open_clip, render_task
from stage.errors import InputError
from stage.types import Box


def test_the_page_contains_a_frame_per_second_and_those_that_stage_reads(collecting_task: Task) -> None:
    task = content(render_task(collecting_task))
    assert sorted(map(int, task["pictures"])) == [1, 4, 7, 10, 13, 16, 19, 22]
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in task["pictures"].values())
    assert len(set(task["pictures"].values())) == 8
    # The film has 12 images per second, and frame k is the one at k / 3 seconds.
    assert {frame: number_of(picture) for frame, picture in collecting_task.images.items()} == {
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
    task = make_task(collecting_task.clip, collecting_task.images, [annotated], WordList(), {})
    assert content(render_task(task))["questions"][0]["frames"] == [1, 7, 13, 19]


def test_the_page_loads_nothing_and_texts_can_not_become_markup(collecting_task: Task) -> None:
    question = replace(QUESTION, text="Is <b> Mia </b> here ?")
    html = render_task(replace(collecting_task, questions=(question,)))
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", html)
    assert html.count("</script>") == 2
    assert "<b> Mia" not in html
    assert content(html)["questions"][0]["question"] == "Is <b> Mia </b> here?"
    assert content(html)["sentences"][0]["start"] == 1


def test_every_element_that_the_script_asks_for_is_on_the_page(collecting_task: Task) -> None:
    html = render_task(collecting_task)
    (buttons,) = re.findall(r"const buttons = {(.*?)};", html, re.DOTALL)
    asked = {*re.findall(r'\$\("([\w-]+)"\)', html), *re.findall(r'"([\w-]+)":', buttons)}
    assert len(asked) > 25
    assert asked <= set(re.findall(r' id="([\w-]+)"', html))


def test_work_is_stored_by_clip_and_questions_whatever_their_nouns(
    collecting_task: Task,
) -> None:
    fewer = replace(collecting_task, concepts=(("Mia",),))
    other = replace(collecting_task, questions=(replace(QUESTION, text="Where is Mia ?"),))
    keys = [content(render_task(task))["key"] for task in (collecting_task, fewer, other)]
    assert keys[0] == keys[1] != keys[2]


def test_a_folder_of_frames_is_a_clip_whose_boxes_are_in_its_own_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    for number in range(1, 15):
        cv2.imwrite(str(folder / f"{number:05}.png"), np.full((400, 800, 3), 10 * number, np.uint8))
    clip, pictures = open_clip(folder, None)
    assert (clip.name, clip.width, clip.height, clip.frame_count) == ("film", 800, 400, 14)
    assert list(pictures) == [1, 4, 7, 10, 13]


def test_a_film_that_no_question_is_about_and_a_question_without_an_answer_are_named(
    collecting_task: Task,
) -> None:
    with pytest.raises(InputError, match="film: no question is about it"):
        make_task(
            collecting_task.clip, collecting_task.images, [replace(QUESTION, clip="other")], WordList(), {}
        )
    with pytest.raises(InputError, match="question 5: has no right answer"):
        make_task(
            collecting_task.clip,
            collecting_task.images,
            [replace(QUESTION, answer_index=None)],
            WordList(),
            {},
        )
    with pytest.raises(InputError, match="film: has none of the frames 1, 7, 13"):
        make_task(collecting_task.clip, {4: collecting_task.images[4]}, [QUESTION], WordList(), {})
