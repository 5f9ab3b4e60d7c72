"""Boxes of words: who finds them, and how they fit the words that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from films import HEIGHT, WIDTH
from samples.chat import ScriptedModel
from samples.image_text_models import write_owl
from stage.errors import InputError
from stage.media.frame_folder import open_frames
from stage.media.video import open_video
from stage.types import Box, Clip, Image, Regions
from stage.vlm.chat import Habits, Limits, Reply
from stage.vlm.grounding import LabelGrounder, NoGrounder, OwnGrounder, PhraseGrounder, grounder_of
from stage.vlm.view import View


def view_of(path: Path) -> View:
    film = open_video(path)
    return View(film, Clip("film", film.frame_count, film.width, film.height), Limits(), Habits())


class Labelled:
    """A detector that finds a mug and a wine glass in the left half of every image."""

    name, dim = "labelled", 1
    seen = 0

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        self.seen += len(images)
        corners = np.array([[0, 0, image.shape[1] / 2, image.shape[0]] for image in images], np.float32)
        return [
            Regions(
                np.stack([each, each]), np.array([0.75, 0.5], np.float32), np.zeros((2, 1), np.float32),
                ("Mug", "wine_glass"),
            )
            for each in corners
        ]  # fmt: skip


class Phrases:
    """An open-vocabulary detector that finds every word once, in the left half of an image."""

    name, notes = "phrases", ("a word was cut",)
    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def find(self, images: Sequence[Image], phrases: Sequence[str]) -> list[list[tuple[Box, ...]]]:
        self.asked += phrases
        return [
            [(Box(0, 0, image.shape[1] / 2, image.shape[0], phrase, 0.5),) for phrase in phrases]
            for image in images
        ]


def test_the_words_of_labels_are_found_by_a_labelled_detector_once(spoken_film: Path, tmp_path: Path) -> None:
    detector = Labelled()
    grounder = LabelGrounder(detector, tmp_path)
    for _ in range(2):
        found, notes = grounder.find(view_of(spoken_film), [1, 7], ["mug", "Glass", "hat"])
        assert found[7] == {
            "mug": (Box(0, 0, WIDTH / 2, HEIGHT, "mug", 0.75),),
            "Glass": (Box(0, 0, WIDTH / 2, HEIGHT, "Glass", 0.5),),
            "hat": (),
        }
        assert notes == ()
    assert detector.seen == 2
    grounder.find(view_of(spoken_film), [7, 13], ["mug"])
    assert detector.seen == 3


def test_an_open_vocabulary_detector_is_asked_for_each_word(spoken_film: Path, tmp_path: Path) -> None:
    detector = Phrases()
    found, notes = PhraseGrounder(detector, tmp_path).find(view_of(spoken_film), [1, 7], ["mug", "hat"])
    assert found[1]["hat"] == (Box(0, 0, WIDTH / 2, HEIGHT, "hat", 0.5),)
    assert sorted(set(detector.asked)) == ["hat", "mug"]
    assert notes == ("a word was cut",)


def test_an_open_vocabulary_detector_looks_at_folders_of_frames(spoken_film: Path, tmp_path: Path) -> None:
    for number, image in open_video(spoken_film).frames([1, 2]):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), image)
    film = open_frames(tmp_path)
    view = View(film, Clip("film", film.frame_count, film.width, film.height), Limits(), Habits())
    found, _ = PhraseGrounder(Phrases(), None).find(view, [2], ["mug", "hat"])
    assert found == {2: {word: (Box(0, 0, WIDTH / 2, HEIGHT, word, 0.5),) for word in ("mug", "hat")}}


def test_boxes_in_pixels_are_those_of_the_picture_that_the_model_got(spoken_film: Path) -> None:
    # Sides are multiples of 28: the film's 160 x 48 becomes 168 x 56, of which (84, 28) is the middle.
    model = ScriptedModel(
        writes=lambda parts: Reply('[{"bbox_2d": [0, 0, 84, 28], "label": "mug"}]'),
        habits=Habits(boxes="pixels", grid=28),
    )
    view = view_of(spoken_film)
    view.habits = model.habits
    found, notes = OwnGrounder(model).find(view, [1], ["mug"])
    assert view.frames([1])[0].image.shape == (56, 168, 3)
    assert found[1]["mug"] == (Box(0, 0, WIDTH / 2, HEIGHT / 2, "mug"),)
    assert notes == ()


def test_a_box_without_a_label_is_of_the_only_word_that_was_asked_for(spoken_film: Path) -> None:
    model = ScriptedModel(writes=lambda parts: Reply("[0, 0, 500, 500]"), habits=Habits(boxes="thousandths"))
    found, _ = OwnGrounder(model).find(view_of(spoken_film), [1], ["mug"])
    assert len(found[1]["mug"]) == 1
    found, notes = OwnGrounder(model).find(view_of(spoken_film), [1], ["mug", "hat"])
    assert found[1] == {"mug": (), "hat": ()}
    assert "other things" in notes[0]


def test_points_are_no_boxes_and_said_to_be_none(spoken_film: Path) -> None:
    reply = Reply('<points coords="1.0 1 500 500">mug</points>')
    found, notes = OwnGrounder(ScriptedModel(writes=lambda parts: reply)).find(
        view_of(spoken_film), [1], ["mug"]
    )
    assert found[1] == {"mug": ()}
    assert notes == ("the model pointed at places, which are no boxes",)


def test_the_detector_that_is_named_comes_before_the_models_own_boxes() -> None:
    own = ScriptedModel(habits=Habits(boxes="thousandths"))
    assert isinstance(grounder_of(own, "stage", None), LabelGrounder)
    assert isinstance(grounder_of(own, None, None), OwnGrounder)
    assert isinstance(grounder_of(ScriptedModel(), None, None), NoGrounder)
    blind = ScriptedModel(habits=Habits(boxes="thousandths"), limits=Limits(frames=0))
    assert isinstance(grounder_of(blind, None, None), NoGrounder)


@pytest.mark.slow
def test_an_open_vocabulary_detector_is_known_by_its_kind(tmp_path: Path) -> None:
    assert isinstance(grounder_of(ScriptedModel(), str(write_owl(tmp_path / "owl")), None), PhraseGrounder)


def test_a_detector_that_isnt_there_is_refused() -> None:
    with pytest.raises(InputError):
        grounder_of(ScriptedModel(), "onnx:/no/such/file.onnx", None)
