"""The answerer `auto` takes the packaged model for the sitcom's films, and zero-shot for all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samples import answerers
from stage.features.regions.packaged import StageDetector
from stage.inference import auto, names
from stage.inference.answerer import Answerer, Setup
from stage.inference.familiarity import is_sitcom, looks_drawn
from stage.inference.model_folder import load_model
from stage.inference.trained import TrainedAnswerer
from stage.media.video import open_video
from stage.types import Regions


def with_best_scores(*scores: float) -> list[Regions]:
    return [
        Regions(np.zeros((2, 4), np.float32), np.array([score, 0], np.float32), np.zeros((2, 3), np.float32))
        for score in scores
    ]


def test_a_film_is_drawn_if_the_packaged_detector_is_sure_of_its_frames() -> None:
    assert looks_drawn(with_best_scores(0.9, 0.55))  # 0.725 on average
    assert not looks_drawn(with_best_scores(0.9, 0.45))
    assert not looks_drawn([])
    assert not looks_drawn([Regions.empty(3)])


@pytest.mark.slow
def test_a_few_frames_tell_an_episode_from_other_films(
    sitcom_data: Path, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = open_video(next((sitcom_data / "episodes").glob("*.mp4")))
    assert is_sitcom(episode, tmp_path)
    assert not is_sitcom(open_video(short_film), tmp_path)
    monkeypatch.setattr(StageDetector, "detect", None)  # what was seen is kept
    assert is_sitcom(episode, tmp_path)


@pytest.mark.slow
def test_auto_says_who_answers_and_why(
    sitcom_data: Path, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answerers.use(monkeypatch)
    monkeypatch.setitem(names.KINDS, "zero-shot", "samples.answerers")
    answerer = Answerer.from_pretrained("auto", detector="onnx:some.onnx")
    episode = next((sitcom_data / "episodes").glob("*.mp4"))
    drawn = answerer.open(episode, cache=tmp_path).ask("Who is it ?", ["Mia .", "Leo ."])
    other = answerer.open(short_film, cache=tmp_path).ask("Who is it ?", ["Mia .", "Leo ."])
    assert drawn.answered_by is not None
    assert drawn.answered_by.name == "sitcom"
    assert "drawn episodes that it was trained on" in drawn.answered_by.reason
    assert drawn.answered_by.record is not None
    assert drawn.answered_by.record.right > 0.9
    assert other.answered_by is not None
    assert "no episode of the sitcom" in other.answered_by.reason
    assert answerers.SERVER.setups == [Setup("onnx:some.onnx")]


@pytest.mark.slow
def test_a_model_is_not_certain_about_films_unlike_those_of_its_training(
    short_film: Path, tmp_path: Path
) -> None:
    answerer = TrainedAnswerer(load_model("sitcom"))
    film = answerer.open(short_film, cache=tmp_path)
    evidence = film.ask("Who is it ?", ["Mia .", "Leo .", "Zoe .", "Ben .", "Ada ."])
    assert evidence.answered_by is not None
    assert evidence.answered_by.record is not None
    assert max(evidence.prediction.probabilities) <= evidence.answered_by.record.right
    assert sum(evidence.prediction.probabilities) == pytest.approx(1)
    assert any("unlike those that the model sitcom was trained on" in note for note in evidence.notes)


@pytest.mark.slow
def test_a_data_set_of_the_sitcom_is_answered_by_its_model(
    sitcom_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(names.KINDS, "zero-shot", "no.such.module")  # it isn't loaded where it isn't needed
    opened = auto.load("auto", Setup()).answers(sitcom_data)
    assert opened.notes[0] == f"{sitcom_data}: answered by sitcom"
    assert len(list(opened.predict())) == len(opened.questions)


@pytest.mark.slow
def test_an_answerer_that_was_never_measured_is_not_said_to_be_right_most_often(
    short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answerers.use(monkeypatch)
    monkeypatch.setattr("samples.answerers.RECORD", None)
    monkeypatch.setitem(names.KINDS, "zero-shot", "samples.answerers")
    film = Answerer.from_pretrained("auto").open(short_film, cache=tmp_path)
    assert film.answered_by.record is None
    assert "most often" not in film.answered_by.reason
