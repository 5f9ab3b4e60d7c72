"""The questions of a data folder are answered from its films."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from films import HEIGHT, WIDTH
from samples.chat import Asked, ScriptedModel, text_of
from samples.film_folder import write_clip_files, write_film_folder
from stage.errors import InputError
from stage.inference.answerer import Setup
from stage.metrics import evaluate
from stage.types import Prediction
from stage.vlm.answerer import VlmAnswerer
from stage.vlm.chat import Choice, Habits, Limits, Reply


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))
    write_film_folder(tmp_path / "data")
    write_clip_files(tmp_path / "data")
    return tmp_path / "data"


def right(parts: Asked, letters: Sequence[str]) -> Choice:
    """Says yes to every window, and prefers the letter of the mug."""
    lines = text_of(parts).split("\n(A) ")[1].splitlines()
    lines = [f"(A) {lines[0]}", *lines[1 : len(letters)]]
    return Choice(tuple(0.8 if "mug" in line or "yes" in line else 0.2 for line in lines))


def answerer() -> VlmAnswerer:
    reply = Reply('[{"bbox_2d": [0, 0, 500, 1000], "label": "mug"}]')
    return VlmAnswerer(ScriptedModel(right, lambda parts: reply, habits=Habits(boxes="thousandths")), Setup())


def test_every_question_is_answered_with_boxes_in_its_annotated_frames(folder: Path) -> None:
    answers = answerer().answers(folder)
    predictions = sorted(answers.predict(), key=lambda prediction: prediction.qid)
    assert [prediction.answer_index for prediction in predictions] == [0, 0]
    assert [prediction.clip for prediction in predictions] == ["one", "two"]
    (boxes,) = {words.boxes for words in predictions[0].grounding if words.word == "mug"}
    assert boxes[0].corners == (0, 0, WIDTH / 2, HEIGHT)
    assert {words.frame for words in predictions[0].grounding} == {7}
    assert {words.hypothesis for words in predictions[0].grounding} == {0}
    scores = evaluate(predictions, answers.questions)
    assert scores.qa_accuracy == 1


def test_what_is_left_of_a_data_set_is_answered_and_nothing_asked_twice(folder: Path) -> None:
    first = answerer()
    answers = first.answers(folder)
    assert answers.predict_rest is not None
    rest: list[Prediction] = list(answers.predict_rest({0}))
    assert [prediction.qid for prediction in rest] == [1]
    second = answerer()
    assert len(list(second.answers(folder).predict())) == 2
    # Four windows, an order for each of two options, and the boxes of a frame; the other film shows the same.
    assert [len(one.model.prompts) for one in (first, second)] == [7, 0]  # type: ignore[attr-defined]


def test_what_goes_wrong_with_single_questions_is_counted_at_the_end(folder: Path) -> None:
    def chooses(parts: Asked, letters: Sequence[str]) -> Choice:
        chosen = right(parts, letters)
        return Choice(chosen.probabilities, notes=("it stutters",))

    answers = VlmAnswerer(ScriptedModel(chooses), Setup()).answers(folder)
    assert answers.notes_of_questions() == ()
    list(answers.predict())
    assert "2 questions: it stutters" in answers.notes_of_questions()
    assert not any("no boxes" in note for note in answers.notes_of_questions())  # said before


def test_a_data_set_without_boxes_is_said_to_be(folder: Path) -> None:
    answers = VlmAnswerer(ScriptedModel(right), Setup()).answers(folder)
    assert any("no boxes" in note for note in answers.notes)
    assert all(not prediction.grounding for prediction in answers.predict())


def test_a_model_without_eyes_is_said_to_guess_about_films_in_which_nothing_is_said(folder: Path) -> None:
    nothing: dict[str, object] = {"sub_text": "", "sub_time": []}
    (folder / "subtitles.json").write_text(json.dumps({"one": nothing, "two": nothing}))
    for subtitles in (folder / "episodes").glob("*.srt"):
        subtitles.unlink()
    answers = VlmAnswerer(ScriptedModel(limits=Limits(frames=0)), Setup()).answers(folder)
    list(answers.predict())
    assert any(
        note.startswith("2 questions: the model was given nothing") for note in answers.notes_of_questions()
    )


def test_a_film_that_is_missing_is_named(folder: Path) -> None:
    (folder / "episodes" / "two.mp4").unlink()
    with pytest.raises(InputError, match="has no film of clip two"):
        answerer().answers(folder)


@pytest.mark.parametrize("name", ["questions.json", "frames.json", "subtitles.json"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        answerer().answers(folder)


def test_a_folder_of_frames_is_looked_at_as_a_film(folder: Path) -> None:
    import cv2

    from stage.media.video import open_video

    film = folder / "episodes" / "one.mp4"
    frames = folder / "episodes" / "one"
    frames.mkdir()
    for number, image in open_video(film).frames(range(1, 25)):
        cv2.imwrite(str(frames / f"{number:05d}.png"), image)
    film.unlink()
    film.with_suffix(".srt").unlink()
    predictions = list(answerer().answers(folder).predict())
    assert [prediction.answer_index for prediction in predictions] == [0, 0]
